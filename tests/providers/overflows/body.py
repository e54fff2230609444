"""The body of an error in the format of OpenAI."""


def openai_error(message, type="invalid_request_error", code=None, **more):
    return {"error": {"message": message, "type": type, "param": None, "code": code} | more}
