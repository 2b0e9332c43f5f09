"""Commands that move money, end a challenge or decide (prop-backoffice 4.5)."""

from prop.api.manager_call import ID_MAX, Answer, Call, Command
from prop.objects import (
    challenge_object,
    job_object,
    money_number,
    payout_object,
    purchase_object,
)
from prop.selectors.challenges import get_purchase_details
from prop.selectors.payouts import get_payout
from prop.services.challenge_control import (
    cancel_challenge,
    close_funded_phase,
    reset_challenge,
)
from prop.services.grants import grant_challenge
from prop.services.jobs import retry_job
from prop.services.payers import add_balance
from prop.services.payouts import approve_payout, reject_payout
from prop.services.purchases import retry_purchase
from prop.services.reading import MONEY_MAX, Fields
from prop.services.refunds import refund_purchase

TEXT_MAX = 255
MEMO_MAX = 200
KEY_MAX = 128


def _grant_challenge(call: Call) -> Answer:
    fields = Fields(call.data)
    fields.require("customer_id", "program_id")
    sent = {
        "customer_id": fields.take_whole("customer_id", least=1, most=ID_MAX),
        "program_id": fields.take_whole("program_id", least=1, most=ID_MAX),
        "comment": fields.take_text("comment", most=TEXT_MAX),
    }
    fields.check()
    purchase = grant_challenge(**sent, **call.by)
    return get_purchase_details(purchase_id=purchase.pk)


def _retry_purchase(call: Call) -> Answer:
    bought = retry_purchase(purchase_id=call.take_id(), **call.by)
    challenge = bought.challenge
    return {
        "accepted": True,
        "idempotent": False,
        "purchase": purchase_object(bought.purchase),
        "challenge": None if challenge is None else challenge_object(challenge),
    }


def _add_balance(call: Call) -> Answer:
    fields = Fields(call.data)
    fields.require("login", "amount", "idempotency_key")
    sent = {
        "login": fields.take_whole("login", least=1, most=ID_MAX),
        "amount": fields.take_number("amount", least=-MONEY_MAX, most=MONEY_MAX, places=2),
        "comment": fields.take_text("comment", most=MEMO_MAX),
        "idempotency_key": fields.take_text("idempotency_key", least=1, most=KEY_MAX),
    }
    if sent["amount"] == 0:
        fields.refuse("amount", "must not be 0")
    fields.check()
    change = add_balance(**sent, **call.by)
    return {
        "login": change.login,
        "balance": money_number(change.balance),
        "entry_id": change.entry_id,
    }


def _refund_purchase(call: Call) -> Answer:
    return {"purchase": purchase_object(refund_purchase(purchase_id=call.take_id(), **call.by))}


def _cancel_challenge(call: Call) -> Answer:
    challenge = cancel_challenge(challenge_id=call.take_id(), reason=_read_reason(call), **call.by)
    return {"challenge": challenge_object(challenge)}


def _reset_challenge(call: Call) -> Answer:
    challenge = reset_challenge(challenge_id=call.take_id(), reason=_read_reason(call), **call.by)
    return {"challenge": challenge_object(challenge)}


def _close_funded_phase(call: Call) -> Answer:
    fields = Fields(call.data)
    reason = fields.take_text("reason", most=TEXT_MAX)
    fields.check()
    challenge = close_funded_phase(challenge_id=call.take_id(), reason=reason, **call.by)
    return {"challenge": challenge_object(challenge)}


def _get_payout(call: Call) -> Answer:
    return {"payout": get_payout(payout_id=call.take_id())}


def _approve_payout(call: Call) -> Answer:
    return {"payout": payout_object(approve_payout(payout_id=call.take_id(), **call.by))}


def _reject_payout(call: Call) -> Answer:
    payout = reject_payout(payout_id=call.take_id(), reason=_read_reason(call), **call.by)
    return {"payout": payout_object(payout)}


def _retry_job(call: Call) -> Answer:
    return {"job": job_object(retry_job(job_id=call.take_id(), **call.by))}


def _read_reason(call: Call) -> str:
    fields = Fields(call.data)
    fields.require("reason")
    reason = fields.take_text("reason", least=1, most=TEXT_MAX)
    fields.check()
    return reason


ACTIONS: dict[str, Command] = {
    "MngGrantPropChallenge": Command("challenges.decide", _grant_challenge),
    "MngCancelPropChallenge": Command("challenges.decide", _cancel_challenge),
    "MngResetPropChallenge": Command("challenges.decide", _reset_challenge),
    "MngClosePropFundedPhase": Command("challenges.decide", _close_funded_phase),
    "MngRefundPropPurchase": Command("purchases.refund", _refund_purchase),
    "MngRetryPropPurchase": Command("purchases.refund", _retry_purchase),
    "MngGetPropPayout": Command("payouts.view", _get_payout),
    "MngApprovePropPayout": Command("payouts.decide", _approve_payout),
    "MngRejectPropPayout": Command("payouts.decide", _reject_payout),
    "MngAddBalance": Command("balances.add", _add_balance),
    "MngRetryPropJob": Command("jobs.retry", _retry_job),
}
