"""The figures of a firm's dashboard about challenges. In the firm's building."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q, Sum

from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    Job,
    JobStatus,
    Payout,
    PayoutStatus,
    PhaseType,
    Program,
    Purchase,
    PurchaseStatus,
    RuleBreach,
)

PASS_RATE_DAYS = 30
WAITING_SHOWN = 6


@dataclass
class ProgramLine:
    """A program's running phases by stage: first evaluation, later ones, funded."""

    program_id: int
    name: str
    first: int = 0
    later: int = 0
    funded: int = 0

    @property
    def all(self) -> int:
        """All running phases."""
        return self.first + self.later + self.funded


@dataclass(frozen=True)
class HourLine:
    """Passes and breaches of one local hour of today."""

    hour: int
    passes: int
    breaches: int


@dataclass(frozen=True)
class ChallengeFigures:
    """Counts of now, and of the firm's local day."""

    programs: Sequence[ProgramLine]
    begun_today: int
    phases_passed_today: int
    challenges_passed_today: int
    breaches_by_rule: Sequence[tuple[str, int]]
    hours: Sequence[HourLine]
    purchases: Sequence[tuple[int, str, int, Decimal]]
    payouts_waiting: int
    payouts_amount: Decimal
    payouts_oldest: datetime | None
    waiting: Sequence[Payout] = field(default=())
    passed_in_period: int = 0
    ended_in_period: int = 0
    jobs_failed: int = 0
    jobs_queued: int = 0
    failed_job: Job | None = None

    @property
    def active(self) -> int:
        """All running phases."""
        return sum(line.all for line in self.programs)

    @property
    def funded(self) -> int:
        """Running funded phases."""
        return sum(line.funded for line in self.programs)

    @property
    def first(self) -> int:
        """Running first phases."""
        return sum(line.first for line in self.programs)

    @property
    def later(self) -> int:
        """Running evaluation phases after the first."""
        return sum(line.later for line in self.programs)

    @property
    def breached_today(self) -> int:
        """Phases that failed by a rule today."""
        return sum(count for _, count in self.breaches_by_rule)

    @property
    def pass_rate(self) -> Decimal | None:
        """Passed of all that passed or failed in the last 30 days, percent."""
        if not self.ended_in_period:
            return None
        return Decimal(self.passed_in_period * 100) / self.ended_in_period


def read_challenge_figures(*, zone: ZoneInfo, now: datetime) -> ChallengeFigures:
    """All of them, in eleven queries whatever the size of the firm."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    ended = Challenge.objects.filter(end_at__gte=now - timedelta(days=PASS_RATE_DAYS)).aggregate(
        passed=Count("pk", filter=Q(status=ChallengeStatus.PASSED)),
        over=Count("pk", filter=Q(status__in=[ChallengeStatus.PASSED, ChallengeStatus.FAILED])),
        today=Count("pk", filter=Q(status=ChallengeStatus.PASSED, end_at__gte=midnight)),
    )
    passes = ChallengePhase.objects.filter(
        status=ChallengeStatus.PASSED, end_at__gte=midnight
    ).values_list("end_at", flat=True)
    breaches = RuleBreach.objects.filter(created_at__gte=midnight, is_primary=True).values_list(
        "rule", "created_at"
    )
    passed_at, breached = list(passes), list(breaches)
    waiting = Payout.objects.filter(status=PayoutStatus.PENDING)
    money = waiting.aggregate(count=Count("pk"), amount=Sum("amount"), oldest=Min("created_at"))
    jobs = Job.objects.filter(status__in=[JobStatus.FAILED, JobStatus.QUEUED]).aggregate(
        failed=Count("pk", filter=Q(status=JobStatus.FAILED)),
        queued=Count("pk", filter=Q(status=JobStatus.QUEUED)),
    )
    failed_job = None
    if jobs["failed"]:
        failed_job = Job.objects.filter(status=JobStatus.FAILED).order_by("-id").first()
    rules = Counter(rule for rule, _ in breached)
    return ChallengeFigures(
        programs=_running_by_program(),
        begun_today=Challenge.objects.filter(created_at__gte=midnight).count(),
        phases_passed_today=len(passed_at),
        challenges_passed_today=ended["today"],
        breaches_by_rule=rules.most_common(),
        hours=_by_hour(passed_at, [at for _, at in breached], zone),
        purchases=_purchases_since(midnight),
        payouts_waiting=money["count"],
        payouts_amount=money["amount"] or Decimal(0),
        payouts_oldest=money["oldest"],
        waiting=list(waiting.select_related("program").order_by("created_at")[:WAITING_SHOWN]),
        passed_in_period=ended["passed"],
        ended_in_period=ended["over"],
        jobs_failed=jobs["failed"],
        jobs_queued=jobs["queued"],
        failed_job=failed_job,
    )


def _running_by_program() -> list[ProgramLine]:
    names = dict(Program.objects.values_list("pk", "name"))
    lines: dict[int, ProgramLine] = {}
    counted = (
        ChallengePhase.objects.filter(status=ChallengeStatus.ACTIVE)
        .values_list("program_id", "phase_index", "phase_type")
        .annotate(count=Count("pk"))
    )
    for program_id, index, kind, count in counted:
        line = lines.setdefault(
            program_id, ProgramLine(program_id, names.get(program_id, str(program_id)))
        )
        if kind == PhaseType.FUNDED:
            line.funded += count
        elif index == 1:
            line.first += count
        else:
            line.later += count
    return sorted(lines.values(), key=lambda line: -line.all)


def _purchases_since(midnight: datetime) -> list[tuple[int, str, int, Decimal]]:
    """Today's purchases by status, and those that failed whenever they were bought."""
    counted = (
        Purchase.objects.filter(Q(created_at__gte=midnight) | Q(status=PurchaseStatus.FAILED))
        .values_list("status")
        .annotate(count=Count("pk"), amount=Sum("amount"))
        .order_by("status")
    )
    return [
        (status, str(PurchaseStatus(status).label).replace("_", " "), count, amount)
        for status, count, amount in counted
    ]


def _by_hour(
    passes: Sequence[datetime | None], breaches: Sequence[datetime], zone: ZoneInfo
) -> list[HourLine]:
    passed = Counter(at.astimezone(zone).hour for at in passes if at is not None)
    failed = Counter(at.astimezone(zone).hour for at in breaches)
    return [HourLine(hour, passed[hour], failed[hour]) for hour in range(24)]
