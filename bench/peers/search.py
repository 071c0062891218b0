"""FAISS and usearch for bench/search.mjs: one JSON line in, one out. `kind` is "flat" or "ivf" (FAISS), or "hnsw" (usearch)."""

import json
import resource
import sys
import time

import numpy as np

index = None
kind = sys.argv[1]


def build(request):
    global index
    count, width = request["count"], request["width"]
    vectors = np.memmap(request["vectors"], dtype=np.float32, mode="r", shape=(count, width))
    start = time.perf_counter()
    if kind == "hnsw":
        from usearch.index import Index

        index = Index(ndim=width, metric="ip", dtype="i8")
        for at in range(0, count, 8192):
            rows = np.asarray(vectors[at : at + 8192])
            index.add(np.arange(at, at + len(rows)), rows, threads=request["threads"])
    else:
        import faiss

        faiss.omp_set_num_threads(request["threads"])
        if kind == "flat":
            index = faiss.IndexFlatIP(width)
        else:
            cells = max(1, round(count**0.5))
            index = faiss.index_factory(width, f"IVF{cells},PQ{request['parts']}", faiss.METRIC_INNER_PRODUCT)
            rng = np.random.default_rng(0)
            index.train(np.asarray(vectors[np.sort(rng.choice(count, min(count, 64 * cells), replace=False))]))
            index.nprobe = request["probes"]
        for at in range(0, count, 8192):
            index.add(np.asarray(vectors[at : at + 8192]))
    return {"seconds": time.perf_counter() - start, "memoryBytes": memory()}


def search(request):
    queries = np.asarray(request["queries"], dtype=np.float32)
    found, ms = [], []
    for query in queries:
        start = time.perf_counter()
        if kind == "hnsw":
            ids = index.search(query, request["count"]).keys
        else:
            ids = index.search(query[None], request["count"])[1][0]
        ms.append((time.perf_counter() - start) * 1000)
        found.append([int(i) for i in ids])
    return {"found": found, "ms": ms, "memoryBytes": memory()}


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"build": build, "search": search}[request["do"]](request)), flush=True)
