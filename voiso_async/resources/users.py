"""Users of the contact centre."""

from voiso_async.models.users import User
from voiso_async.pages import OffsetPages, page_of
from voiso_async.paginator import Paginator
from voiso_async.resources.params import query
from voiso_async.session import Session
from voiso_async.wire import Request


class Users:
    """``voiso.users``: everybody who can sign in."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self,
        *,
        name: str | None = None,
        email: str | None = None,
        sip_account: str | None = None,
        security_access_group_id: int | None = None,
        extension: str | None = None,
        caller_id: str | None = None,
        timezone: str | None = None,
        page_size: int = 100,
    ) -> Paginator[User]:
        """List users; needs the scope ``users.read``.

        ``sip_account`` is ``user@domain``, ``timezone`` a zone name; whether a filter matches in part is not
        documented. ``page_size`` is 1 to 100.
        """
        params = query(
            name=name,
            email=email,
            sip_account=sip_account,
            security_access_group_id=security_access_group_id,
            extension=extension,
            caller_id=caller_id,
            timezone=timezone,
        )
        request = Request.to("GET", "/users", params=params, scope="users.read")
        return Paginator(self._session.send, OffsetPages(request, page_size=page_size), page_of(User, "users"))
