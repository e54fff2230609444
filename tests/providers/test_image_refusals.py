"""Servers whose model cannot see images: what they report is recognized and not tried again."""

import pytest

from chat.providers import errors
from chat.providers.image_refusals import refuses_images
from tests.upstream import refusal
from tests.waiting import wait_for_run

SENTENCE = "This model cannot see images."
REFUSALS = {  # server -> (HTTP status, error)
    "llama.cpp": (
        500,
        {
            "code": 500,
            "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
            "type": "server_error",
        },
    ),
    "llama.cpp, older": (
        500,
        {
            "code": 500,
            "message": 'Failed to parse messages: Unsupported content part type: "image_url"; messages = [\n  {\n '
            '"role": "user", "content": "What is the format of this?"',
            "type": "server_error",
        },
    ),
    "ollama": (400, {"message": "this model does not support image input (ref: b8bd630e)"}),
    "ollama, older": (
        500,
        {"message": "Failed to create new sequence: this model is missing data required for image input"},
    ),
    "vllm": (400, {"message": "At most 0 image(s) may be provided in one prompt.", "type": "BadRequestError"}),
    "vllm, older": (400, {"message": "facebook/opt-125m is not a multimodal model None", "code": 400}),
    "vllm, part": (400, {"message": "Unknown part type: image_url"}),
    "lm studio": (400, {"message": "Model does not support images. Please use a model that does."}),
    "lm studio, add-on": (400, {"message": "Vision add-on is not loaded, but images were provided for processing"}),
    "xllm": (400, {"message": "Non-text content requires multimodal endpoint"}),
    "mlx": (400, {"message": "Only 'text' content type is supported."}),
    "text-only server": (400, {"message": "Unsupported content part type for text-only server: image_url"}),
    "openrouter": (404, {"message": "No endpoints found that support image input", "code": 404}),
    "openai": (
        400,
        {"message": "Invalid content type. image_url is only supported by certain models.", "param": "messages.[0]"},
    ),
    "openai, older": (400, {"message": "Invalid content type: image_url."}),
    "deepseek": (
        400,
        {
            "message": "Failed to deserialize the JSON body into the target type: messages[7]: unknown variant "
            "`image_url`, expected `text` at line 1 column 114708",
            "code": "invalid_request_error",
        },
    ),
    "groq": (400, {"message": "messages[0].content must be a string", "type": "invalid_request_error"}),
    "groq, newer": (
        400,
        {
            "message": "'messages.0' : for 'role:user' the following must be satisfied[('messages.0.content' : value "
            "must be a string)]"
        },
    ),
    "gemini": (400, {"message": "Image input modality is not enabled for models/gemma-3-1b-it", "code": 400}),
    "bedrock": (400, {"message": "This model doesn't support the image content block that you provided."}),
    "anthropic": (400, {"message": "'claude-3-5-haiku-20241022' does not support image input.", "type": "error"}),
    "xai": (400, {"message": "Image inputs are not supported by this model."}),
    "mistral": (400, {"message": "Model mistral-tiny does not support vision"}),
    "moonshot": (400, {"message": "Image input not supported for model moonshot-v1-8k"}),
    "zhipu": (400, {"message": "messages.content.type 参数非法，取值范围 ['text']", "code": "1210"}),
    "a chinese gateway": (400, {"message": "当前模型不支持图片输入"}),
    "a japanese gateway": (400, {"message": "このモデルは画像入力をサポートしていません。"}),
    "litellm": (500, {"message": "litellm.InternalServerError: OpenAIException - image input is not supported"}),
}
OTHERS = [
    "Unsupported image format: only image/png, image/jpeg, image/gif and image/webp are supported.",
    "The image format is not supported by this model.",
    "messages.0.content.0.image.source.media_type: image/bmp is not supported",
    "image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes",
    "At most 1 image(s) may be provided in one request.",
    "Image dimensions are not allowed to exceed 8000 pixels.",
    "Could not process image",
    "This model does not support tools.",
    "This model does not support image generation.",
    "Only 1 candidate is supported",
    "temperature is not supported with this model",
    "max_tokens must be a string",
    "The content of the tool result must be an object",
    "The model is overloaded",
]


@pytest.mark.parametrize("server", REFUSALS)
def test_refusal_of_images_is_recognized(server):
    status, error = REFUSALS[server]
    reported = errors.reported({"error": error}, status)
    assert (reported.code, reported.retryable) == ("sees_no_images", False)
    assert str(reported).startswith(SENTENCE)


@pytest.mark.parametrize("server", REFUSALS)
def test_refusal_of_images_is_recognized_with_http_200(server):
    assert errors.reported_with_success(REFUSALS[server][1]).code == "sees_no_images"


def test_refusal_of_images_is_recognized_behind_a_router():
    raw = '{"error":{"message":"unknown variant `image_url`, expected `text`"}}'
    error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "DeepSeek"}}
    assert errors.reported({"error": error}, 400).code == "sees_no_images"


@pytest.mark.parametrize("report", OTHERS)
def test_other_reports_are_not_taken_for_it(report):
    assert not refuses_images(report)
    assert errors.reported({"error": {"message": report}}, 400).code == "refused"


def test_words_of_the_conversation_are_not_taken_for_it():
    report = "Failed to parse messages: " + "x" * 600 + "my phone does not support images"
    assert errors.reported({"error": {"message": report}}, 400).code == "refused"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["openai:m", "langchain:openai:m", "ollama:m"])
@pytest.mark.parametrize("tools", [[], ["echo"]])
async def test_refusal_of_images_is_asked_once_by_every_provider(upstream, alice, agent_run, model, tools):
    run = await agent_run(refusal(*REFUSALS["llama.cpp"]), model=model, tools=tools, context_window=100_000)
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("failed", "sees_no_images")
    assert len(upstream.requests) == 1
