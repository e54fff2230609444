"""A LangChain server to compare with, as its tutorials show it. No login, no storage, no resume.

Run `uvicorn bench.langchain_peer:app` with OPENAI_API_KEY and OPENAI_BASE_URL in the environment.
"""

import json

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

app = FastAPI()


class Question(BaseModel):
    text: str
    model: str


@app.post("/chat")
async def chat(question: Question):
    async def answer():
        async for chunk in ChatOpenAI(model=question.model).astream(question.text):
            if chunk.content:
                yield f"data: {json.dumps({'text': chunk.content})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(answer(), media_type="text/event-stream")
