import ast
import math
import operator
import re
import statistics
import threading
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext, gettext_lazy
from simpleeval import FunctionNotDefined, InvalidExpression, NameNotDefined, SimpleEval

from . import ToolError

MAX_LENGTH = 1000  # characters of an expression, which also limits the number of its operations
MAX_BITS = 10_000  # of any integer in between: three thousand digits, on which every operation takes microseconds
MAX_DEPTH = 200  # of nested operations; 1 + 1 + … nests, too
MAX_QUOTED_LENGTH = 100  # characters of the expression that an error quotes
MAX_ROUND_DIGITS = 400  # beyond the digits of a float, and round() would compute 10 to the power of it

TOO_DEEP = gettext_lazy("The expression is nested too deeply. Calculate its parts one at a time, or use sum([…]).")

SYMBOLS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "π": "(pi)", "√": "sqrt", "^": "**"})
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # １＋２, as a Japanese keyboard types it
WORD = re.compile(r"[\w.]+")
NUMBER = re.compile(r"\b\d")
KEYWORD = re.compile("and|else|for|if|in|is|not|or")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
parsing = threading.Lock()  # in two threads at a time, Python before 3.11.8 may fail at it: its issue 106905


def calculator(expression: str) -> str:
    """Evaluates an expression such as 3 * (2 + 5) ** 2, sqrt(71) or 12.5 / 100 * 80.

    Operators: + - * / // % ** and comparisons; % is the remainder. Constants: pi, e, tau. Functions: sqrt, cbrt, exp,
    log(x, base), ln, log2, log10, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, degrees, radians, hypot,
    floor, ceil, trunc, round(x, digits), abs, sign, min, max, sum, mean, median, gcd, lcm, factorial, comb, perm.
    Angles are in radians. Numbers have a decimal point and no thousands separators.
    """
    if len(expression) > MAX_LENGTH:
        sentence = gettext("The expression is too long. At most %(limit)s characters are allowed.")
        raise ToolError(sentence % {"limit": f"{MAX_LENGTH:,}"})
    try:
        return _to_text(evaluator.eval(expression, _parse(expression)))
    except NameNotDefined as error:
        raise ToolError(gettext("“%(name)s” is not defined.") % {"name": _shorten(error.name)}) from None
    except FunctionNotDefined as error:
        raise ToolError(gettext("There is no function “%(name)s”.") % {"name": _shorten(error.func_name)}) from None
    except ZeroDivisionError:
        raise ToolError(gettext("Division by zero.")) from None
    except OverflowError:
        raise ToolError(gettext("The number is too large.")) from None
    except (InvalidExpression, KeyError):  # KeyError: comparisons such as `in`
        raise ToolError(gettext("Only numbers, operators and mathematical functions are allowed.")) from None


def _is_warned_of(text: str) -> bool:
    """Returns whether Python warns of the text while it parses: of an escape, or a keyword right behind a number."""
    return "\\" in text or any(
        KEYWORD.search(word, number.end()) for word in WORD.findall(text) if (number := NUMBER.search(word))
    )


def _parse(expression: str) -> ast.expr:
    """Returns the syntax tree; `^` is a power, as everywhere outside of programs, with a power's precedence."""
    text = re.sub(r"√\s*([\d.]+)", r"√(\1)", expression.translate(FULL_WIDTH))
    text = re.sub("[⁰¹²³⁴-⁹]+", lambda match: f"**{match[0].translate(SUPERSCRIPTS)}", text)
    text = " ".join(text.translate(SYMBOLS).split())
    sentence = gettext("“%(expression)s” is not a valid expression.")
    invalid = ToolError(sentence % {"expression": _shorten(expression)})
    if _is_warned_of(text):
        raise invalid
    try:
        with parsing:
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        raise invalid from None
    except (RecursionError, MemoryError):  # the parser's own stack
        raise ToolError(TOO_DEEP) from None
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ToolError(TOO_DEEP)
    return tree


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_QUOTED_LENGTH else f"{text[:MAX_QUOTED_LENGTH]}…"


def _to_text(value: object) -> str:
    """Returns the result as text: 3 for 3.0, and all digits of a number."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        raise ToolError(
            gettext("The result is a list. Use an expression with a single number, and write 1234 instead of 1,234.")
        )
    result = checked(value)
    if isinstance(result, float) and result.is_integer() and abs(result) < 2**53:
        result = int(result)
    return str(result)


# Every number passes through these functions --------------------------------------------------------------------------


def checked(value: object) -> int | float:
    """Returns the value; raises ToolError if it is not a real number of limited size."""
    if not isinstance(value, int | float):
        raise ToolError(gettext("Only real numbers are supported."))
    if isinstance(value, float) and not math.isfinite(value):
        if math.isinf(value):
            raise ToolError(gettext("The number is too large."))
        raise ToolError(gettext("The result is not a number."))
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ToolError(too_large())
    return value


def too_large() -> str:
    sentence = gettext("The number is too large: it has more than %(limit)s digits.")
    return sentence % {"limit": f"{int(MAX_BITS * math.log10(2)):,}"}


def bits_per_exponent(value: int) -> float:
    """Returns about how many bits each step of the exponent adds to a power of this integer; 0 for -1, 0 and 1."""
    return math.log2(abs(value)) if abs(value) > 1 else 0


def check_bits(bits: float) -> None:
    if bits > MAX_BITS:
        raise ToolError(too_large())


def power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        check_bits(bits_per_exponent(base) * exponent)
    return base**exponent


def factorial(n: int) -> int:
    check_bits(math.lgamma(n + 1) / math.log(2) if n > 0 else 0)
    return math.factorial(n)


def comb(n: int, k: int) -> int:
    check_bits(bits_per_exponent(n) * min(k, n - k))
    return math.comb(n, k)


def perm(n: int, k: int) -> int:
    check_bits(bits_per_exponent(n) * k)
    return math.perm(n, k)


def lcm(*values: int) -> Any:
    multiple: Any = 1
    for value in values:
        multiple = checked(math.lcm(multiple, value))
    return multiple


def round_to(value: Any, digits: int = 0) -> Any:
    if abs(digits) > MAX_ROUND_DIGITS:
        raise ToolError(gettext("Numbers cannot be rounded to that many digits."))
    return round(value, digits) if digits else round(value)


def of_many(function: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """Returns the function for numbers one by one or in one list: max(1, 2) or max([1, 2])."""

    def call(*values: Any) -> Any:
        return function([*values[0]] if len(values) == 1 and isinstance(values[0], list | tuple) else [*values])

    return call


def with_checks(name: str, function: Callable[..., Any], *, lists: bool = False) -> Callable[..., Any]:
    """Returns the function with checked arguments and a checked result."""

    def call(*values: Any) -> Any:
        for value in values:
            for item in value if lists and isinstance(value, list | tuple) else [value]:
                checked(item)
        try:
            result = function(*values)
        except (TypeError, ValueError, statistics.StatisticsError):
            raise ToolError(gettext("“%(name)s” is not defined for these values.") % {"name": name}) from None
        return result if isinstance(result, bool) else checked(result)

    return call


FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(math, name)
    for name in (
        "sqrt cbrt exp log log2 log10 sin cos tan asin acos atan atan2 sinh cosh tanh degrees radians hypot "
        "floor ceil trunc gcd"
    ).split()
} | {
    "ln": lambda x: math.log(x),
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "round": round_to,
    "factorial": factorial,
    "comb": comb,
    "perm": perm,
    "lcm": lcm,
}
OF_MANY: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "sum": sum,
    "mean": statistics.mean,
    "median": statistics.median,
}
OPERATORS: dict[type, tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", power),
    ast.USub: ("-", operator.neg),
    ast.UAdd: ("+", operator.pos),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


class Arithmetic(SimpleEval):
    """An evaluator with nothing but the above; all other syntax is refused by name."""

    def __init__(self) -> None:
        super().__init__(
            operators={node: with_checks(*named) for node, named in OPERATORS.items()},
            functions={name: with_checks(name, function) for name, function in FUNCTIONS.items()}
            | {name: with_checks(name, of_many(function), lists=True) for name, function in OF_MANY.items()},
            names={"pi": math.pi, "e": math.e, "tau": math.tau},
        )
        allowed = {node: self.nodes[node] for node in (ast.Name, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call)}
        self.nodes: dict[type, Callable[..., Any]] = allowed | {
            ast.Constant: self._number,
            ast.List: self._list,
            ast.Tuple: self._list,
        }

    def _number(self, node: ast.Constant) -> int | float:
        return checked(node.value)

    def _list(self, node: ast.List | ast.Tuple) -> list[Any]:
        return [self._eval(item) for item in node.elts]


evaluator = Arithmetic()
