"""What a terminal may be sent: a model or a tool's result could otherwise move the cursor or write the clipboard."""

CONTROL_CHARACTERS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(9), *range(11, 32), *range(127, 160))}
TERMINAL_SAFE = {**CONTROL_CHARACTERS, ord("\r"): None}
