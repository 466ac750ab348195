"""ONNX Runtime: inference."""
import os
import tempfile

from . import common, onnxfile

limit = 1


def start(threads):
    global limit
    import onnx  # noqa: F401 - builds the file
    import onnxruntime

    limit = threads
    return f"ONNX Runtime {onnxruntime.__version__}"


def model(batch, training):
    if training:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = limit
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tutorial.onnx")
        onnxfile.write(path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = common.images(batch, planar=True)
    return lambda: session.run(None, {"x": x})
