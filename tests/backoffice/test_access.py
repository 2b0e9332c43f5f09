"""Who gets into a firm's BackOffice, and which role sees which screen."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants.models import StaffMembership, StaffRole, User
from tenants.office.admin_site import backoffice
from tenants.office.rights import RIGHTS
from tenants.services import grant_role, register_user, revoke_role
from tests.backoffice.conftest import PASSWORD, browse
from tests.support.exchange import NOW

pytestmark = pytest.mark.django_db
ROLES = StaffRole.values
SCREENS = {screen.slug: screen.view_right for screen in backoffice._registry.values()}


def sign_in(email: str, password: str = PASSWORD, host: str = "alpha.localhost") -> Any:
    client = Client(headers={"host": host})
    form = {"username": email, "password": password}
    return client.post("/backoffice/login/", form), client


@pytest.fixture
def manager(staff: dict[str, User]) -> User:
    """Alpha's Risk, with a password."""
    person = staff["manager"]
    person.set_password(PASSWORD)
    person.save()
    return person


def test_a_member_signs_in_and_lands_on_the_dashboard(manager: User) -> None:
    answer, client = sign_in("manager@alpha.example")
    assert (answer.status_code, answer["Location"]) == (302, "/backoffice/")
    page = client.get("/backoffice/")
    assert page.status_code == 200
    assert b"Active accounts" in page.content


def test_a_stranger_reads_the_same_refusal_as_a_wrong_password(
    staff: dict[str, User], beta: Any
) -> None:
    stranger = register_user(email="staff@beta.example", password=PASSWORD, now=NOW)
    grant_role(user=stranger, firm=beta, role="admin", actor=None, now=NOW)
    refusals = []
    for email, password in (
        ("staff@beta.example", PASSWORD),
        ("staff@beta.example", "wrong"),
        ("nobody@nowhere.example", PASSWORD),
    ):
        answer, client = sign_in(email, password)
        assert answer.status_code == 200
        assert client.get("/backoffice/").status_code == 302
        text = answer.content.decode()
        refusals.append(text[text.index('role="alert"') :].partition("</div>")[0])
    assert len(set(refusals)) == 1


def test_five_tries_a_minute(manager: User) -> None:
    for _ in range(5):
        sign_in("manager@alpha.example", "wrong")
    answer, _ = sign_in("manager@alpha.example")
    assert b"Too many tries" in answer.content


def test_staff_of_one_firm_is_nobody_at_another(staff: dict[str, User], beta: Any) -> None:
    client = browse(staff["admin"], "beta.localhost")
    for path in ("", "traders/", "audit/", "find/?q=1"):
        answer = client.get(f"/backoffice/{path}")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/backoffice/login/")


def test_the_platform_has_no_backoffice(staff: dict[str, User]) -> None:
    client = browse(staff["admin"], "localhost")
    assert client.get("/backoffice/").status_code == 404
    assert client.get("/backoffice/login/").status_code == 404


def test_platform_administrators_have_no_way_in_without_a_role(alpha: Any) -> None:
    chief = register_user(
        email="chief@polysim.example", password=PASSWORD, now=NOW, is_platform_admin=True
    )
    assert browse(chief).get("/backoffice/").status_code == 302


def test_an_ended_role_is_refused_with_the_next_request(
    office: Callable[..., Client], staff: dict[str, User]
) -> None:
    client = office("viewer")
    assert client.get("/backoffice/traders/").status_code == 200
    membership = StaffMembership.objects.get(user=staff["viewer"])
    revoke_role(membership=membership, actor=None, now=NOW)
    assert client.get("/backoffice/traders/").status_code == 302


@pytest.mark.parametrize("slug", sorted(SCREENS))
def test_every_screen_opens_for_the_roles_that_may_see_it(
    office: Callable[..., Client], slug: str
) -> None:
    right = RIGHTS[SCREENS[slug]]
    for role in ROLES:
        answer = office(role).get(f"/backoffice/{slug}/")
        assert answer.status_code == (200 if role in right.roles else 403), role
        menu = office(role).get("/backoffice/").content.decode()
        is_listed = f'href="/backoffice/{slug}/"' in menu
        assert is_listed == (role in right.roles) or slug == "deliveries", role


def test_every_command_is_refused_to_roles_without_its_right(
    office: Callable[..., Client],
) -> None:
    for screen in backoffice._registry.values():
        for command in screen.commands:
            for role in ROLES:
                has_right = role in RIGHTS[command.right].roles
                sees = role in RIGHTS[screen.view_right].roles
                for method in ("get", "post"):
                    call = getattr(office(role), method)
                    answer = call(f"/backoffice/{screen.slug}/999999/do/{command.name}/")
                    wanted = 404 if has_right and sees else 403
                    assert answer.status_code == wanted, (screen.slug, command.name, role)
        if screen.create_right:
            for role in ROLES:
                answer = office(role).get(f"/backoffice/{screen.slug}/new/")
                wanted = 200 if role in RIGHTS[screen.create_right].roles else 403
                assert answer.status_code == wanted, (screen.slug, role)


def test_a_right_taken_from_a_role_is_gone_at_once(
    owner: Client, office: Callable[..., Client], django_capture_on_commit_callbacks: Any
) -> None:
    dealer = office("dealer")
    assert dealer.get("/backoffice/accounts/").status_code == 200
    page = owner.get("/backoffice/staff/roles/dealer/")
    assert b"See accounts" in page.content
    form = {"rights": ["traders.view"]}
    with django_capture_on_commit_callbacks(execute=True):
        assert owner.post("/backoffice/staff/roles/dealer/", form).status_code == 302
    assert dealer.get("/backoffice/accounts/").status_code == 403
    assert dealer.get("/backoffice/traders/").status_code == 200
    assert office("manager").get("/backoffice/accounts/").status_code == 200
    assert owner.get("/backoffice/staff/roles/admin/").status_code == 404
