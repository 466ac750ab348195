"""The tutorial CNN with random weights as an ONNX file, for the inference engines."""
from . import common


class Builder:
    def __init__(self):
        import numpy as np

        self.rng, self.nodes, self.weights, self.last = np.random.default_rng(0), [], [], "x"

    def add(self, kind, inputs=(), **attributes):
        from onnx import helper

        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.last, *inputs], [name], **attributes))
        self.last = name

    def parameters(self, filters, *shape):
        """Names of a kernel and its biases."""
        import numpy as np
        from onnx import numpy_helper

        names = [f"w{len(self.weights)}", f"b{len(self.weights)}"]
        kernel = self.rng.standard_normal(shape, np.float32) * np.float32(0.02)
        self.weights += [numpy_helper.from_array(kernel, names[0]),
                         numpy_helper.from_array(np.zeros(filters, np.float32), names[1])]
        return names


def write(path):
    import onnx
    from onnx import TensorProto, helper

    b = Builder()
    for c, f in zip(common.CHANNELS, common.CHANNELS[1:]):
        b.add("Conv", b.parameters(f, f, c, 3, 3), kernel_shape=[3, 3])
        b.add("Relu")
        b.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    b.add("Flatten")
    b.add("Gemm", b.parameters(common.HIDDEN, common.FLAT, common.HIDDEN))
    b.add("Relu")
    b.add("Gemm", b.parameters(common.CLASSES, common.HIDDEN, common.CLASSES))
    b.add("Softmax", axis=-1)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, common.SIZE, common.SIZE])
    output = helper.make_tensor_value_info(b.last, TensorProto.FLOAT, ["n", common.CLASSES])
    graph = helper.make_graph(b.nodes, "tutorial", [image], [output], b.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
