"""What all records have in common: they are frozen, and keep what they do not know."""

from typing import Any, NoReturn

from attrs import field, fields, frozen


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
    """A record that keeps the fields it does not know, as they came, in ``extra``.

    Records are compared and shown here, once for all of them: attrs would compile code for each at import.
    """

    extra: dict[str, Any] = field(default=NOTHING, eq=False, repr=False)

    def __eq__(self, other: object) -> bool:
        return self._known() == other._known() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._known()))

    def __repr__(self) -> str:
        shown = [f"{each.name}={getattr(self, each.name)!r}" for each in fields(type(self)) if each.repr]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _known(self) -> tuple[Any, ...]:
        return tuple(getattr(self, each.name) for each in fields(type(self)) if each.eq)


# Records without any read that of the class: msgspec would find each of their slots empty, one exception a record.
setattr(OpenRecord, "extra", NOTHING)  # noqa: B010 - to the checker its fields are read-only
