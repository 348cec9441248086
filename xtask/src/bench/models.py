"""Times ONNX Runtime over the models of a folder: a name and a number a line.

One thread, the processor time of this thread, the best of some rounds. `call` is a call as a Python
program makes it, `bound` one with inputs and outputs bound before, which is nearest to its C API.
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

ROUNDS = 9


def resident():
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def best(call, calls):
    fastest = float("inf")
    for _ in range(ROUNDS):
        begun = time.thread_time()
        for at in range(calls):
            call(at)
        fastest = min(fastest, (time.thread_time() - begun) / calls)
    return fastest * 1e6


def measure(path):
    name = path.stem.removeprefix("bench_")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    before = resident()
    begun = time.thread_time()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    print(f"{name}_read_us {(time.thread_time() - begun) * 1e6:.1f}")
    port = session.get_inputs()[0]
    kind, ending = (np.float32, "f32") if port.type == "tensor(float)" else (np.int64, "i64")
    rows = np.fromfile(path.with_suffix(f".in0.{ending}"), kind).reshape(-1, port.shape[1])
    for batch in (1, 256):
        parts = [{port.name: rows[at : at + batch]} for at in range(0, len(rows), batch)]
        calls = 4 * len(rows) if batch == 1 else 16
        each = best(lambda at: session.run(None, parts[at % len(parts)]), calls)
        print(f"{name}_us_per_sample_batch_{batch} {each / batch:.3f}")
        bindings = []
        for part in parts:
            binding = session.io_binding()
            binding.bind_cpu_input(port.name, part[port.name])
            # The scores alone: LightGBM's export declares its label with a shape that is wrong.
            binding.bind_output(session.get_outputs()[-1].name)
            bindings.append(binding)
        each = best(lambda at: session.run_with_iobinding(bindings[at % len(bindings)]), calls)
        print(f"{name}_bound_us_per_sample_batch_{batch} {each / batch:.3f}")
    print(f"{name}_resident_bytes {resident() - before}")


for path in sorted(Path(sys.argv[1]).glob("bench_*.onnx")):
    measure(path)
