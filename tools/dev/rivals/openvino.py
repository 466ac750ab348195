"""OpenVINO: inference, told to compute in fp32 and to answer one request as fast as it can."""
import os
import tempfile

from . import common, onnxfile

limit = 1


def start(threads):
    global limit
    import onnx  # noqa: F401 - builds the file
    import openvino

    limit = threads
    return f"OpenVINO {openvino.__version__.split('-')[0]}"


def model(batch, training):
    if training:
        return None
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": limit, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tutorial.onnx")
        onnxfile.write(path)
        network = core.read_model(path)
        network.reshape([batch, 3, common.SIZE, common.SIZE])
        request = core.compile_model(network, "CPU", settings).create_infer_request()
    x = common.images(batch, planar=True)
    return lambda: request.infer({0: x})
