"""What all records have in common: they are frozen, and keep what they do not know."""

from typing import Any, NoReturn

from attrs import field, frozen

__all__ = ["OpenRecord"]


class _Nothing(dict[str, Any]):
    """An empty dict that stays empty: a page has a thousand records, and one of these is enough for all."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a record is frozen, and so are the fields it does not know")

    __setitem__: Any = _refuse
    __ior__: Any = _refuse
    setdefault: Any = _refuse
    update: Any = _refuse

    def __reduce__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


@frozen(kw_only=True, slots=False)
class OpenRecord:
    """A record that keeps the fields it does not know, as they came, in ``extra``."""

    extra: dict[str, Any] = field(default=NOTHING, eq=False, repr=False)


# Records without any read that of the class: msgspec would find each of their slots empty, one exception a record.
setattr(OpenRecord, "extra", NOTHING)  # noqa: B010 - to the checker its fields are read-only
