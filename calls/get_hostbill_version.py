"""getHostBillversion."""

from calls import Answer, Caller, call


@call("getHostBillversion")
def get_hostbill_version(caller: Caller) -> Answer:
    """Tell the panel's version, a setting; integrations use it to test their credentials."""
    return Answer({"version": caller.settings.hostbill_version})
