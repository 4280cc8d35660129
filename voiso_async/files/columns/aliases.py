"""The usual names of columns, in many systems and some languages, and how names are compared and shown."""

import unicodedata
from collections.abc import Mapping, Sequence

MOST_SHOWN = 20
LONGEST_SHOWN = 40

ALIASES: Mapping[str, Sequence[str]] = {
    "phone_number": (
        "phonenumber",
        *("phone", "phoneno", "phonenr", "telephone", "telephonenumber", "tel", "telno", "msisdn", "number"),
        *("contactnumber", "contactphone", "primaryphone", "mainphone", "dialnumber", "e164", "callerid"),
        *("mobile", "mobilephone", "mobilenumber", "mobilephonenumber", "mobileno", "cell", "cellphone"),
        *("cellnumber", "cellphonenumber", "whatsappphonenumber", "whatsappnumber"),
        *("businessphone", "workphone", "officephone", "homephone", "phone1", "personphone", "leadphone"),
        *("telefon", "telefonnummer", "telefonnr", "rufnummer", "nummer", "handy", "handynummer", "mobil"),
        *("mobilnummer", "mobiltelefon", "festnetz", "numerodetelephone", "numero", "numerotelephone"),
        *("telephoneportable", "telephonemobile", "portable", "numeroportable", "telefono", "numerodetelefono"),
        *("telefonomovil", "movil", "celular", "telefone", "numerodetelefone", "telemovel", "cellulare"),
        *("numeroditelefono", "telefoonnummer", "telefoon", "mobielnummer", "telefonkomorkowy", "numertelefonu"),
    ),
    "name": (
        *("name", "fullname", "contactname", "leadname", "displayname", "personname"),
        *("vollername", "vollstandigername", "nomcomplet", "nombrecompleto", "nomecompleto", "volledigenaam"),
        *("kontaktname", "contact", "kontakt", "customername", "accountname"),
    ),
    "first_name": (
        *("firstname", "first", "givenname", "forename", "personfirstname", "contactfirstname", "leadfirstname"),
        *("vorname", "prenom", "nombre", "primernombre", "nome", "voornaam", "imie"),
    ),
    "last_name": (
        *(
            "lastname",
            "last",
            "familyname",
            "surname",
            "secondname",
            "personlastname",
            "contactlastname",
            "leadlastname",
        ),
        *("nachname", "familienname", "nom", "nomdefamille", "apellido", "apellidos", "cognome", "sobrenome"),
        *("achternaam", "nazwisko"),
    ),
    "source.system": (
        *("sourcesystem", "source", "leadsource", "originalsource", "contactsource", "system"),
        *("quelle", "leadquelle", "herkunft", "origine", "origen", "fuente", "bron"),
    ),
    "source.url": ("sourceurl", "url", "link", "recordurl", "crmurl", "crmlink", "contacturl", "leadurl"),
    "priority": ("priority", "prioritat", "prioritaet", "priorite", "prioridad"),
    "active": ("active", "isactive", "aktiv", "actif", "activo"),
    "key": (
        *("key", "externalid", "crmid", "leadid", "contactid", "customerid", "recordid", "personid", "accountid"),
        *("hubspotid", "kundennummer", "kundenid", "id"),
    ),
}
"""The usual names of each field's column, the preferred one first, as ``squeezed`` makes them."""

RESULT_COLUMNS: tuple[str, ...] = ("voiso_outcome", "voiso_reason", "voiso_row")
"""What a file of refused rows has beside its own columns; reading such a file again passes them over."""

FALLBACK_NAMES = frozenset({"accountname", "contact", "contactname", "customername", "kontakt", "kontaktname"})
"""Names of columns that hold a person's name where nothing else does; else a company's, or somebody else's."""

_INVISIBLE = {
    "Mn",
    "Mc",
    "Me",
    "Cc",
    "Cf",
}  # accents, and what a copied header brings unseen: joiners, marks, controls
_DROPPED = str.maketrans("", "", "_-.:()/#'\u2019\ufeff\u1160\u115f\u2800\ufffc")


def normalised(name: str) -> str:
    """Bring a column's name to what is compared: no case, accents, blanks, dashes or invisible characters."""
    if not (name.isascii() and name.isprintable()):
        plain = unicodedata.normalize("NFKD", name)
        name = "".join(char for char in plain if unicodedata.category(char) not in _INVISIBLE)
    return "".join(name.casefold().split()).translate(_DROPPED)


def columns_by_alias(names: Sequence[str]) -> dict[str, list[int]]:
    """Tell where columns with each field's usual names stand; ``names`` are squeezed."""
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    return {field: [places[name] for name in usual if name in places] for field, usual in ALIASES.items()}


def safe_name(name: str) -> str:
    """Show a column's name in a message: one line, short, and no number that could be a phone's."""
    text = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    if sum(char.isdigit() for char in text) >= 7:
        return "(a number)"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def join_names(names: Sequence[str]) -> str:
    """List names in a message: the first of them, and how many there are more."""
    seen = [repr(safe_name(name)) for name in names if name.strip()]
    more = f" and {len(seen) - MOST_SHOWN} more" if len(seen) > MOST_SHOWN else ""
    return ", ".join(seen[:MOST_SHOWN]) + more if seen else "none with a name"
