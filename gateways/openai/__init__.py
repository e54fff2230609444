"""OpenAI's API under /v1: models and chat completions, for clients that have a base URL and a key.

Format: https://platform.openai.com/docs/api-reference/chat
"""
