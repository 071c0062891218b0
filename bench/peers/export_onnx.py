"""A Hugging Face folder as the ONNX files that transformers.js reads: fp32, and q4 as its own scripts make it.

    python export_onnx.py FOLDER OUT

Needs optimum-onnx and onnxruntime (bench/peers/requirements-export.txt), in an environment of their own.
"""

import os
import shutil
import sys

import onnx
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from optimum.exporters.onnx import main_export

source, out = sys.argv[1:]
os.makedirs(os.path.join(out, "onnx"), exist_ok=True)
main_export(source, output=out, task="text-generation-with-past", device="cpu")
fp32 = os.path.join(out, "onnx", "model.onnx")
shutil.move(os.path.join(out, "model.onnx"), fp32)
quantizer = MatMulNBitsQuantizer(onnx.load(fp32), block_size=32, is_symmetric=True)
quantizer.process()
quantizer.model.save_model_to_file(os.path.join(out, "onnx", "model_q4.onnx"), use_external_data_format=False)
