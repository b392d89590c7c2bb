"""getAPIMethods."""

from calls import Answer, Caller, call, registry


@call("getAPIMethods")
def get_api_methods(caller: Caller) -> Answer:
    """List the calls that this access may use."""
    return Answer({"methods": [name for name in registry() if caller.may_call(name)]})
