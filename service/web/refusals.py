"""Why the guard turns a request away before any use case sees it."""


class SignInNeededError(Exception):
    """Nobody is signed in, and the page is for those who are."""


class ForeignFormError(Exception):
    """The form was sent from another site."""


class FormExpiredError(Exception):
    """The form was open too long, or comes from another session."""
