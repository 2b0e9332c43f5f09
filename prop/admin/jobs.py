"""Jobs that follow from verdicts: each run once, safe to repeat; failed ones are tried again."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from polysim.kernel.clock import utc_now
from prop.admin.cells import JOB_TONES
from prop.models import Job, JobStatus
from prop.services.jobs import retry_job
from tenants.office.admin.screens import Command, Screen, is_id, register
from tenants.office.admin_site import actor_of
from tenants.office.cells import column, link, moment_text, tag, with_sub


def _retry(request: HttpRequest, row: Job, data: Mapping[str, Any]) -> str:
    retry_job(job_id=row.pk, actor=actor_of(request), now=utc_now())
    return f"{row.key} is queued again."


def _why_not_failed(request: HttpRequest, row: Job) -> str:
    return "" if row.status == JobStatus.FAILED else "Only a failed job is tried again."


@register(Job)
class JobScreen(Screen):
    """What the worker has to do."""

    slug = "jobs"
    title = "Jobs"
    view_right = "jobs.view"
    summary = "Retried after 5, 30, 120, 600 and 3600 s, then hourly; after 10 tries they fail."
    empty_words = "No job yet."
    search_words = "Key, job or challenge"
    detail_template = "office/job.html"
    list_display = ("name", "kind_cell", "state", "tries", "next_try", "made")
    list_filter = ("status", "kind")
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "id": lambda row: row.pk,
        "key": lambda row: row.key,
        "kind": lambda row: row.kind,
        "status": lambda row: row.status,
        "attempts": lambda row: row.attempts,
        "last_error": lambda row: row.last_error,
        "run_after": lambda row: row.run_after,
        "created_at": lambda row: row.created_at,
    }
    commands = (
        Command(
            "retry",
            "Retry",
            "jobs.retry",
            "Queues it again with all its tries. It checks what was done before it acts.",
            _retry,
            tone="primary",
            why_not=_why_not_failed,
        ),
    )

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(key__startswith=term)
        if is_id(term):
            named |= Q(pk=int(term)) | Q(challenge=int(term))
        return queryset.filter(named)

    @column("Job", order="key")
    def name(self, row: Job) -> Any:
        return link(self.address_of(row), row.key)

    @column("What it does", order="kind")
    def kind_cell(self, row: Job) -> Any:
        if row.challenge_id is None:
            return row.get_kind_display()
        address = reverse("backoffice:challenges_detail", args=[row.challenge_id])
        return with_sub(row.get_kind_display(), link(address, f"challenge {row.challenge_id}"))

    @column("State", order="status")
    def state(self, row: Job) -> Any:
        return with_sub(tag(row.status, JOB_TONES[row.status]), row.last_error[:80])

    @column("Tries", order="attempts", is_number=True)
    def tries(self, row: Job) -> Any:
        return row.attempts

    @column("Runs after", order="run_after")
    def next_try(self, row: Job) -> Any:
        return moment_text(row.run_after if row.status == JobStatus.QUEUED else None)

    @column("Made", order="created_at")
    def made(self, row: Job) -> Any:
        return moment_text(row.created_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "tone": JOB_TONES[row.status],
            "payload": json.dumps(row.payload, indent=2, sort_keys=True),
        }
