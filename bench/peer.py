"""The peer: the server that every tutorial shows. No login, no storage, no resume.

`uvicorn bench.peer:app`, with OPENAI_API_KEY and OPENAI_BASE_URL in the environment.
"""

import json

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from pydantic import BaseModel

app = FastAPI()
client = AsyncOpenAI()


class Question(BaseModel):
    text: str
    model: str


@app.post("/chat")
async def chat(question: Question):
    async def answer():
        messages = [{"role": "user", "content": question.text}]
        stream = await client.chat.completions.create(model=question.model, messages=messages, stream=True)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield f"data: {json.dumps({'text': chunk.choices[0].delta.content})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(answer(), media_type="text/event-stream")
