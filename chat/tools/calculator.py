import ast
import math
import operator
import re
import statistics

from django.utils.translation import gettext, gettext_lazy
from simpleeval import FunctionNotDefined, InvalidExpression, NameNotDefined, SimpleEval

from . import ToolError

MAX_LENGTH = 1000  # characters of an expression, and with it the number of its operations
MAX_BITS = 10_000  # of any whole number on the way: three thousand digits, on which everything takes microseconds
MAX_DEPTH = 200  # what 1 + 1 + … is deep, too
MAX_SHOWN = 100  # characters of the expression that a sentence quotes

TOO_DEEP = gettext_lazy("The expression is nested too deeply. Work out its parts one by one, or use sum([…]).")

AS_TYPED = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "π": "(pi)", "√": "sqrt", "^": "**"})
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # １＋２, as a Japanese keyboard writes it
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def calculator(expression: str) -> str:
    """Work out an expression such as 3 * (2 + 5) ** 2, sqrt(71) or 12.5 / 100 * 80.

    Operators: + - * / // % ** and comparisons; % is the remainder. Constants: pi, e, tau. Functions: sqrt, cbrt, exp,
    log(x, base), ln, log2, log10, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, degrees, radians, hypot,
    floor, ceil, trunc, round(x, digits), abs, sign, min, max, sum, mean, median, gcd, lcm, factorial, comb, perm.
    Angles are in radians. Numbers have a decimal point and no thousands separators.
    """
    if len(expression) > MAX_LENGTH:
        sentence = gettext("The expression is too long: at most %(most)s characters can be worked out.")
        raise ToolError(sentence % {"most": f"{MAX_LENGTH:,}"})
    try:
        return shown(evaluator.eval(expression, parsed(expression)))
    except NameNotDefined as error:
        raise ToolError(gettext("“%(name)s” is not known here.") % {"name": cut(error.name)}) from None
    except FunctionNotDefined as error:
        raise ToolError(gettext("There is no function “%(name)s” here.") % {"name": cut(error.func_name)}) from None
    except ZeroDivisionError:
        raise ToolError(gettext("That divides by zero.")) from None
    except OverflowError:
        raise ToolError(gettext("That number is too large.")) from None
    except (InvalidExpression, KeyError):  # KeyError: comparisons such as `in`
        raise ToolError(gettext("Only numbers, operators and mathematical functions can be used.")) from None


def parsed(expression):
    """The syntax tree; `^` is a power as everywhere outside of programs, with a power's precedence."""
    text = re.sub(r"√\s*([\d.]+)", r"√(\1)", expression.translate(FULL_WIDTH))
    text = re.sub("[⁰¹²³⁴-⁹]+", lambda raised: f"**{raised[0].translate(RAISED)}", text)
    text = " ".join(text.translate(AS_TYPED).split())
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        sentence = gettext("“%(expression)s” is no expression that can be worked out.")
        raise ToolError(sentence % {"expression": cut(expression)}) from None
    except (RecursionError, MemoryError):  # the parser's own stack
        raise ToolError(TOO_DEEP) from None
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ToolError(TOO_DEEP)
    return tree


def cut(text):
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def shown(value):
    """The result as text: 3 for 3.0, and every digit that a number has."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        raise ToolError(gettext("That is a list of numbers. Ask for one, and write 1234 for 1,234."))
    value = number(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return str(value)


# Every number that comes up goes through here -------------------------------------------------------------------------


def number(value):
    """The value, if it is a real number of bounded size."""
    if not isinstance(value, int | float):
        raise ToolError(gettext("Only real numbers can be worked with."))
    if isinstance(value, float) and not math.isfinite(value):
        raise ToolError(gettext("That number is too large.") if math.isinf(value) else gettext("That has no value."))
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ToolError(too_large())
    return value


def too_large():
    sentence = gettext("That number is too large: more than %(most)s digits.")
    return sentence % {"most": f"{int(MAX_BITS * math.log10(2)):,}"}


def bits(value):
    """About how many bits a power of this whole number has for each of its exponent; 0 for -1, 0 and 1."""
    return math.log2(abs(value)) if abs(value) > 1 else 0


def not_larger_than(size):
    if size > MAX_BITS:
        raise ToolError(too_large())


def power(base, exponent):
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        not_larger_than(bits(base) * exponent)
    return base**exponent


def factorial(n):
    not_larger_than(math.lgamma(n + 1) / math.log(2) if n > 0 else 0)
    return math.factorial(n)


def comb(n, k):
    not_larger_than(bits(n) * min(k, n - k))
    return math.comb(n, k)


def perm(n, k):
    not_larger_than(bits(n) * k)
    return math.perm(n, k)


def lcm(*values):
    multiple = 1
    for value in values:
        multiple = number(math.lcm(multiple, value))
    return multiple


def rounded(value, digits=0):
    if abs(digits) > 400:  # beyond what a number has, and 10 to the power of that would be worked out
        raise ToolError(gettext("That many digits cannot be rounded to."))
    return round(value, digits) if digits else round(value)


def of_many(function):
    """Takes numbers one by one or as one list: max(1, 2) or max([1, 2])."""

    def call(*values):
        return function([*values[0]] if len(values) == 1 and isinstance(values[0], list | tuple) else [*values])

    return call


def careful(name, function, *, lists=False):
    """The function, with real numbers of bounded size going in and coming out."""

    def call(*values):
        for value in values:
            if lists and isinstance(value, list | tuple):
                [number(one) for one in value]
            else:
                number(value)
        try:
            result = function(*values)
        except (TypeError, ValueError, statistics.StatisticsError):
            raise ToolError(gettext("“%(name)s” has no result for this.") % {"name": name}) from None
        return result if isinstance(result, bool) else number(result)

    return call


FUNCTIONS = {
    name: getattr(math, name)
    for name in (
        "sqrt cbrt exp log log2 log10 sin cos tan asin acos atan atan2 sinh cosh tanh degrees radians hypot "
        "floor ceil trunc gcd"
    ).split()
} | {
    "ln": lambda x: math.log(x),
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "round": rounded,
    "factorial": factorial,
    "comb": comb,
    "perm": perm,
    "lcm": lcm,
}
OF_MANY = {"min": min, "max": max, "sum": sum, "mean": statistics.mean, "median": statistics.median}
OPERATORS = {
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
    """The evaluator with nothing in it but what stands above; every other syntax is refused by name."""

    def __init__(self):
        super().__init__(
            operators={node: careful(*named) for node, named in OPERATORS.items()},
            functions={name: careful(name, function) for name, function in FUNCTIONS.items()}
            | {name: careful(name, of_many(function), lists=True) for name, function in OF_MANY.items()},
            names={"pi": math.pi, "e": math.e, "tau": math.tau},
        )
        known = {node: self.nodes[node] for node in (ast.Name, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call)}
        self.nodes = known | {ast.Constant: self._number, ast.List: self._list, ast.Tuple: self._list}

    def _number(self, node):
        return number(node.value)

    def _list(self, node):
        return [self._eval(item) for item in node.elts]


evaluator = Arithmetic()
