"""Keras on TensorFlow."""
import os

from . import common

policy = "float32"


def start(threads):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    import keras

    keras.mixed_precision.set_global_policy(policy)
    kind = "" if policy == "float32" else f", {policy}"
    return f"Keras {keras.__version__} on TensorFlow {tf.__version__}{kind}"


def model(batch, training):
    import keras
    import numpy as np

    layers = [keras.Input((common.SIZE, common.SIZE, 3))]
    for f in common.CHANNELS[1:]:
        layers += [keras.layers.Conv2D(f, 3, activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(common.HIDDEN, activation="relu"),
               keras.layers.Dense(common.CLASSES, activation="softmax", dtype="float32")]
    net = keras.Sequential(layers)
    net.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
    x, y = common.images(batch), np.eye(common.CLASSES, dtype=np.float32)[common.labels(batch)]
    return (lambda: net.train_on_batch(x, y)) if training else (lambda: net.predict_on_batch(x))


def gemm(m, n, k):
    import tensorflow as tf

    a, b = (tf.convert_to_tensor(x) for x in common.matrices(m, n, k))
    product = tf.function(tf.linalg.matmul)
    return lambda: product(a, b).numpy()
