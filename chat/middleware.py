"""What Django answers by itself under /api/ (404, 405, CSRF, 500) gets the shape of our errors too."""

from http import HTTPStatus

from django.http import JsonResponse

SENTENCES = {
    404: ("not_found", "There is no such thing here, or it is not yours."),
    405: ("method_not_allowed", "This method does nothing here."),
    500: ("server_error", "Something went wrong on our side."),
}


def json_errors(get_response):
    async def middleware(request):
        response = await get_response(request)
        status = response.status_code
        if status < 400 or not request.path.startswith("/api/") or response.get("Content-Type") == "application/json":
            return response
        code, message = SENTENCES.get(status, ("refused", f"{HTTPStatus(status).phrase}."))
        answer = JsonResponse({"error": {"code": code, "message": message}}, status=status)
        if "Allow" in response:
            answer["Allow"] = response["Allow"]
        return answer

    return middleware


json_errors.async_capable, json_errors.sync_capable = True, False
