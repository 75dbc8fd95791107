"""What a document cannot say to who makes up requests by it."""

import itertools

import schemathesis

# A key that comes again with another body is refused, as it should be; what is made up repeats itself.
numbers = itertools.count(1)

# Only what an answer gave is any good: positions, and the keys that links carry. What is made up is refused, also where
# it looks like one. `--mode negative` sends them still.
GIVEN_BY_ANSWERS = {"at-least", "after", "before"}


@schemathesis.hook
def before_call(context, case, kwargs):
    is_meant_to_be_right = case.meta is None or case.meta.generation.mode.is_positive
    if not is_meant_to_be_right:
        return
    if case.headers:
        case.headers.pop("Taxisvc-At-Least", None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = f"contract-{next(numbers)}"
    for name in GIVEN_BY_ANSWERS & set(case.query or {}):
        del case.query[name]
