"""What NVML itself says, read with ctypes and nothing of batchtop: the figures to compare with.

truth.py once            one JSON object
truth.py energy FILE     writes time and the energy counter in millijoules to FILE
"""
import ctypes as C
import json
import sys
import time

nvml = C.CDLL("libnvidia-ml.so.1")
nvml.nvmlErrorString.restype = C.c_char_p


class Memory(C.Structure):
    _fields_ = [("version", C.c_uint), ("total", C.c_ulonglong), ("reserved", C.c_ulonglong),
                ("free", C.c_ulonglong), ("used", C.c_ulonglong)]


class Rates(C.Structure):
    _fields_ = [("gpu", C.c_uint), ("memory", C.c_uint)]


class Process(C.Structure):
    _fields_ = [("pid", C.c_uint), ("used", C.c_ulonglong), ("gi", C.c_uint), ("ci", C.c_uint)]


class Sample(C.Structure):
    _fields_ = [("pid", C.c_uint), ("at", C.c_ulonglong), ("sm", C.c_uint), ("mem", C.c_uint),
                ("enc", C.c_uint), ("dec", C.c_uint)]


def call(name, *arguments):
    code = getattr(nvml, name)(*arguments)
    return None if code == 0 else f"{name}: {nvml.nvmlErrorString(code).decode()} ({code})"


def card():
    call("nvmlInit_v2")
    handle = C.c_void_p()
    error = call("nvmlDeviceGetHandleByIndex_v2", 0, C.byref(handle))
    if error:
        sys.exit(error)
    return handle


def number(name, handle, *more, kind=C.c_uint):
    value = kind()
    return call(name, handle, *more, C.byref(value)) or value.value


def text(name, handle):
    buffer = C.create_string_buffer(256)
    return call(name, handle, buffer, 256) or buffer.value.decode()


def processes(handle, name):
    count, found = C.c_uint(64), (Process * 64)()
    error = call(name, handle, C.byref(count), found)
    if error:
        return error
    named = []
    for one in found[:count.value]:
        buffer = C.create_string_buffer(512)
        error = call("nvmlSystemGetProcessName", one.pid, buffer, 512)
        named.append({"pid": one.pid, "used": one.used, "name": error or buffer.value.decode()})
    return named


def samples(handle):
    count = C.c_uint(0)
    call("nvmlDeviceGetProcessUtilization", handle, None, C.byref(count), C.c_ulonglong(0))
    found = (Sample * max(count.value, 1))()
    error = call("nvmlDeviceGetProcessUtilization", handle, found, C.byref(count), C.c_ulonglong(0))
    return error or [{"pid": one.pid, "at": one.at, "sm": one.sm} for one in found[:count.value]][-8:]


def everything():
    handle = card()
    memory = Memory(version=C.sizeof(Memory) | (2 << 24))
    error = call("nvmlDeviceGetMemoryInfo_v2", handle, C.byref(memory))
    rates = Rates()
    busy = call("nvmlDeviceGetUtilizationRates", handle, C.byref(rates)) or rates.gpu
    reasons = number("nvmlDeviceGetCurrentClocksEventReasons", handle, kind=C.c_ulonglong)
    return {
        "name": text("nvmlDeviceGetName", handle),
        "uuid": text("nvmlDeviceGetUUID", handle),
        "memory": error or {k: getattr(memory, k) for k in ("total", "reserved", "used", "free")},
        "busy_percent": busy,
        "celsius": number("nvmlDeviceGetTemperature", handle, 0),
        "milliwatts": number("nvmlDeviceGetPowerUsage", handle),
        "milliwatts_limit": number("nvmlDeviceGetEnforcedPowerLimit", handle),
        "millijoules": number("nvmlDeviceGetTotalEnergyConsumption", handle, kind=C.c_ulonglong),
        "core_mhz": number("nvmlDeviceGetClockInfo", handle, 0),
        "memory_mhz": number("nvmlDeviceGetClockInfo", handle, 2),
        "throttle_bits": hex(reasons) if isinstance(reasons, int) else reasons,
        "compute_processes": processes(handle, "nvmlDeviceGetComputeRunningProcesses_v3"),
        "graphics_processes": processes(handle, "nvmlDeviceGetGraphicsRunningProcesses_v3"),
        "process_samples": samples(handle),
    }


if sys.argv[1] == "once":
    print(json.dumps(everything(), indent=1))
else:
    handle = card()
    joules = number("nvmlDeviceGetTotalEnergyConsumption", handle, kind=C.c_ulonglong)
    with open(sys.argv[2], "w") as file:
        json.dump([time.time(), joules], file)
