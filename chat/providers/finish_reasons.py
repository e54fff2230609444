"""Why a model stopped, in the words of many servers -> the words of OpenAI that the engine knows; for all providers."""

import re

STOP = "stop end end_turn end_of_text end_of_turn eos eos_found eos_token stop_sequence stop_string stop_token"
STOP += " stop_criteria_met complete completed done finished pause_turn success load unload"
LENGTH = "length length_limit length_capped limit max_length max_tokens max_new_tokens max_output_tokens"
LENGTH += " max_completion_tokens max_tokens_reached max_context_length model_length token_limit context_length"
LENGTH += " context_length_exceeded model_context_window_exceeded error_limit incomplete truncated"
TOOL_CALLS = "tool_calls tool_call tool_use function_call function_calls"
CONTENT_FILTER = "content_filter content_filtered filtered moderation flagged guardrail_intervened refusal safety"
CONTENT_FILTER += " sensitive risk_control error_toxic blocked blocklist language model_armor prohibited_content"
CONTENT_FILTER += " recitation spii image_safety image_prohibited_content image_recitation"
CUT = "abort aborted cancel canceled cancelled user_cancel connection_error insufficient_system_resource interrupted"
CUT += " malformed_function_call malformed_response network_error preempted server_error server_shutdown timeout"
CUT += " unexpected_tool_call finish_reason_unspecified unknown_error internal_error failed"

REASONS = {
    word: reason
    for reason, words in (
        ("stop", STOP),
        ("length", LENGTH),
        ("tool_calls", TOOL_CALLS),
        ("content_filter", CONTENT_FILTER),
        ("cut", CUT),
    )
    for word in words.split()
}


def normalize(reason: object) -> str:
    """Returns `stop`, `length`, `tool_calls`, `content_filter`, or `cut` for an answer that its server broke off.

    A word that is not in the table is returned in lower case; it counts as the end of a complete answer. Spelling does
    not matter: `MAX_TOKENS`, `maxTokens`, `max-tokens` and `FINISH_REASON_MAX_TOKENS` are the same.
    """
    text = str(reason)[:200]
    word = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s.-]+", "_", text.strip()).lower()
    return REASONS.get(word) or REASONS.get(word.removeprefix("finish_reason_")) or text.lower()
