# SPDX-License-Identifier: Apache-2.0
"""A word of a filter read as a value of the field that it stands beside.

Every reader raises ValueError with what is wrong; where it stands is the parser's business.
No name of a host is ever looked up; the names of ports are, in the services database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fleutan.fields import PROTOS, Field
from fleutan.query import units
from fleutan.query.expression import Endpoint, Glob, Masked, Operator, Pattern, Span, Value
from fleutan.query.lexer import Token, shown

if TYPE_CHECKING:
    from fleutan.address import Prefix

Words = Mapping[str, tuple[str, ...]]
Reader = Callable[[Token, Field, Operator], tuple[Value, ...]]

_ALL_STATES = (
    *("established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait"),
    *("close", "close-wait", "last-ack", "listen", "closing"),
)
_BUCKET = ("time-wait", "syn-recv")


def _states_but(*left_out: str) -> tuple[str, ...]:
    return tuple(state for state in _ALL_STATES if state not in left_out)


#: What is typed -> the words of the field ``state``; the groups are those of ss(8).
STATES: Words = {
    **{state: (state,) for state in _ALL_STATES},
    "estab": ("established",),
    **dict.fromkeys(("closed", "unconn", "unconnected"), ("close",)),
    "listening": ("listen",),
    "all": _ALL_STATES,
    "connected": _states_but("close", "listen"),
    "synchronized": _states_but("close", "listen", "syn-sent"),
    "bucket": _BUCKET,
    "big": _states_but(*_BUCKET),
}
#: What is typed -> the words of ``proto``.
PROTOCOLS: Words = {**{word: (word,) for word in PROTOS.values()}, "icmp6": ("icmpv6",)}
FAMILIES: Words = {
    **dict.fromkeys(("ip", "ip4", "ipv4", "inet", "inet4"), ("ipv4",)),
    **dict.fromkeys(("ip6", "ipv6", "inet6"), ("ipv6",)),
}
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
# Expressions are text until they are used: compiling them all would double the time of the import.
_PORT_NAME = r"[A-Za-z0-9][A-Za-z0-9+._/-]{0,63}"
_SPAN = r"([^:]*):([^:]*)|([0-9]+)-([0-9]+)"
_BRACKETED = r"\[([^]]*)\](/[0-9]+)?(?::(.+))?"
_SHORT_NET = r"[0-9]+(\.[0-9]+){0,2}"
#: A piece of a regular expression.  ``foreign`` is what Python's re takes and RE2 does not: back
#: references, looking around, possessive counts, more than 1000 repetitions.
_PIECE = (
    r"(?s)(?P<foreign>\\[1-9ZuUN]|\(\?(?![:imsP-])|\(\?P[=>]|[*+?}]\+|\{(?:[0-9]+,)?(?!1000\})[0-9]{4,}[,}])"
    r"|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|."
)
_LONGEST_PATTERN = 1000
#: An address of the link: at least two octets in hexadecimal, with or without the zero at the left.
_LINK = r"[0-9a-f]{1,2}(?:([:-])[0-9a-f]{1,2})(?:\1[0-9a-f]{1,2})*"


def read(token: Token, field: Field, operator: Operator) -> tuple[Value, ...]:
    """The values of the field that the token stands for: one, or the members of a group of states."""
    if token.word in ("null", "is"):
        raise ValueError(f"whether a value is known is asked with 'has {field.name}' or 'not has {field.name}'")
    found = (_BY_NAME.get(field.name) or _BY_TYPE[field.type])(token, field, operator)
    if operator not in ("=", "!=") and type(found[0]) not in (int, float):
        raise ValueError(f"{field.name} has no order here: use = or !=")
    return found


def pattern(token: Token, field: Field) -> Pattern:
    """A regular expression for a text field, checked as far as it can be without RE2."""
    if field.type != "text":
        hint = "use a prefix, as in 10.0.0.0/8" if field.type == "address" else "use = < or >"
        raise ValueError(f"~ is for text, which {field.name} is not: {hint}")
    if len(token.text) > _LONGEST_PATTERN:
        raise ValueError(f"a regular expression has at most {_LONGEST_PATTERN} characters")
    if foreign := next((piece[0] for piece in re.finditer(_PIECE, token.text) if piece["foreign"]), ""):
        raise ValueError(f"RE2 regular expressions have no {shown(foreign)}")
    if reason := _complaint(token.text):
        raise ValueError(f"{shown(token.text)} is not a regular expression: {reason}")
    return Pattern(token.text)


def _complaint(expression: str) -> str:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(expression)
        except re.error as error:
            return error.msg
        except (OverflowError, RecursionError):
            return "it repeats or nests too much"
    return ""


def is_truth(token: Token) -> bool:
    """Whether the token can be the value of a yes-or-no field."""
    return token.word in _TRUTHS


def read_net(token: Token, field: Field, operator: Operator) -> tuple[Value, ...]:
    """As tcpdump's ``net``: one to three numbers are a prefix of that many bytes."""
    if re.fullmatch(_SHORT_NET, token.text):
        token = token._replace(text=f"{token.text}/{8 * (token.text.count('.') + 1)}")
    return read(token, field, operator)


def _number(token: Token, field: Field, operator: Operator) -> tuple[Value, ...]:
    text, slash, mask = token.text.partition("/")
    if slash and field.type == "int" and not field.unit:
        return (Masked(*(units.to_int(units.number(part, field), "=", field) for part in (text, mask))),)
    exact = units.number(token.text, field)
    return (units.to_int(exact, operator, field) if field.type == "int" else units.to_float(exact),)


def _truth(token: Token, field: Field, _operator: Operator) -> tuple[Value, ...]:
    if token.text.lower() not in _TRUTHS:
        raise ValueError(f"{field.name} is true or false, not {shown(token.text)}")
    return (_TRUTHS[token.text.lower()],)


def _text(token: Token, _field: Field, _operator: Operator) -> tuple[Value, ...]:
    return (Glob(token.text) if token.kind == "word" and _is_glob(token.text) else token.text,)


def _is_glob(text: str) -> bool:
    return "*" in text or "?" in text


def _listed(words: Words, text: str, field: Field) -> tuple[Value, ...]:
    """The field's own words for what is typed; a glob gives all that it matches."""
    lower = text.lower().replace("_", "-")
    found = words.get(lower)
    if found is None and _is_glob(lower):
        found = tuple(dict.fromkeys(word for own in words.values() for word in own if fnmatchcase(word, lower)))
    if not found:
        near = get_close_matches(lower[:64], words, n=1)
        known = ", ".join(dict.fromkeys(word for own in words.values() for word in own))
        raise ValueError(
            f"{shown(text)} is no {field.name}; " + (f"did you mean {near[0]}?" if near else f"known: {known}")
        )
    return found


def _state(token: Token, field: Field, _operator: Operator) -> tuple[Value, ...]:
    return _listed(STATES, token.text, field)


def _family(token: Token, field: Field, _operator: Operator) -> tuple[Value, ...]:
    return _listed(FAMILIES, {"4": "ipv4", "6": "ipv6"}.get(token.text, token.text), field)


def _proto(token: Token, field: Field, _operator: Operator) -> tuple[Value, ...]:
    numbers = {str(number): word for number, word in PROTOS.items()}
    if token.text not in numbers and token.text.isascii() and token.text.isdecimal() and int(token.text) < 256:
        return (f"proto-{int(token.text)}",)
    return _listed(PROTOCOLS, numbers.get(token.text, token.text), field)


def _protocol(token: Token, field: Field, operator: Operator) -> tuple[Value, ...]:
    if token.text.lower() in PROTOCOLS:
        raise ValueError(f"protocol is how a record was exported, as ipfix or sflow-5; ask 'proto = {token.text}'")
    return _text(token, field, operator)


def _link(token: Token, field: Field, operator: Operator) -> tuple[Value, ...]:
    """``00:11:22:33:44:aa`` in any case, with ``-`` too, and as CoMo writes it (``0:11:22:33:44:aa``)."""
    lower = token.text.lower()
    if re.fullmatch(_LINK, lower):
        return (":".join(octet.rjust(2, "0") for octet in re.split("[:-]", lower)),)
    if not _is_glob(lower):
        raise ValueError(f"{shown(token.text)} is no {field.name}: write it as 00:11:22:33:44:aa")
    return _text(token._replace(text=lower), field, operator)


def _port(token: Token, _field: Field, _operator: Operator) -> tuple[Value, ...]:
    ports = _ports(token.text)
    return (ports.first if ports.first == ports.last else ports,)


def _ports(text: str) -> Span:
    """``22``, ``:22``, ``ssh``, ``5000:6000``, ``5000-6000``, ``5000:``; ``*`` is every port.

    ``:22`` is port 22 as in ss, not "up to 22" as in CoMo, which is written ``0:22``.
    """
    text = text[1:] if text.startswith(":") else text
    if text == "*":
        return Span(0, 65535)
    match = re.fullmatch(_SPAN, text)
    if match is None:
        return Span(_one_port(text), _one_port(text))
    first, last = (match[1], match[2]) if match[3] is None else (match[3], match[4])
    span = Span(_one_port(first), _one_port(last) if last else 65535)
    if span.first > span.last:
        raise ValueError(f"the ports {shown(text)} run backwards")
    return span


def _one_port(text: str) -> int:
    if text.isascii() and text.isdigit():
        if len(text) > 5 or int(text) > 65535:
            raise ValueError(f"{shown(text)} is no port: 65535 is the last")
        return int(text)
    if not re.fullmatch(_PORT_NAME, text):
        raise ValueError(f"{shown(text)} is no port")
    from socket import getservbyname

    try:
        return getservbyname(text)
    except OSError:
        raise ValueError(f"no service is called {shown(text)}; see services(5), or give the port's number") from None


def _endpoint(token: Token, _field: Field, _operator: Operator) -> tuple[Value, ...]:
    """``10/8``, ``10.0.0.1:443``, ``[::1]:22``, ``2001:db8::/32``, ``:443``, ``*:443``, ``*``."""
    host, ports = _halves(token.text)
    prefix = None if host in ("", "*") and ports else _prefix("::/0" if host == "*" else host)
    return (Endpoint(prefix, _ports(ports) if ports else None),)


def _halves(text: str) -> tuple[str, str]:
    """The address and the port, empty where there is none."""
    if match := re.fullmatch(_BRACKETED, text):
        return match[1] + (match[2] or ""), match[3] or ""
    if text.count(":") != 1:
        return text, ""
    host, _, ports = text.partition(":")
    return host, ports or ":"


def _prefix(text: str) -> Prefix:
    from fleutan.address import parse_prefix

    if "%" in text:
        raise ValueError(f"the zone of {shown(text)} is asked for apart: dev {text.partition('%')[2][:16] or 'NAME'}")
    try:
        # parse_prefix forgives a bracket, but half a pair is a slip of the fingers
        return parse_prefix("" if "[" in text or "]" in text else text)
    except ValueError:
        if ":" not in text and any(letter.isalpha() for letter in text.partition("/")[0]):
            raise ValueError("host names are not looked up in a filter; give an address or prefix") from None
        raise ValueError(f"{shown(text)} is neither an address nor a prefix") from None


_BY_NAME: dict[str, Reader] = {
    "state": _state,
    "proto": _proto,
    "protocol": _protocol,
    "family": _family,
    **dict.fromkeys(("sport", "dport", "service"), _port),
    **dict.fromkeys(("src_mac", "dst_mac"), _link),
}


def _octets(_token: Token, field: Field, _operator: Operator) -> tuple[Value, ...]:
    raise ValueError(f"{field.name} cannot be compared: 'has {field.name}' asks whether it is known")


_BY_TYPE: dict[str, Reader] = {
    "int": _number,
    "float": _number,
    "bool": _truth,
    "text": _text,
    "address": _endpoint,
    "octets": _octets,
}
