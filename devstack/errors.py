"""What devstack can fail with: one exception, whose message tells its reader what to do next."""


class DevstackError(Exception):
    """Something that devstack was asked for can't be done."""


class NotReadyError(Exception):
    """What a probe raises while its server can't be used yet; the message says what it lacks."""
