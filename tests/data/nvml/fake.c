/* A stand-in for NVIDIA's management library (NVML) that answers from a file beside it:
 * `libfake.so` reads `libfake.so.txt` at every call. One line is `KEY VALUE`; a value `!N` makes the
 * call return NVML's error N. A key that is not there is "not supported" (3).
 * Written against the structures of nvml.h, API version 12. With -DOLD it lacks the functions that came with
 * later drivers, as the library of an old one does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };
typedef unsigned long long u64;
typedef struct { unsigned version; u64 total, reserved, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned pid; u64 used; unsigned instance, compute; } Process;
typedef struct { unsigned pid; u64 time; unsigned sm, memory, encode, decode; } Sample;
typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
} Pci;

/* Copies the value of a key; returns NVML's code. */
static int text(const char *key, char *value, size_t size) {
    Dl_info self;
    char path[4096], line[512];
    size_t length = strlen(key);
    int code = NOT_SUPPORTED;
    if (!dladdr((void *)text, &self)) return 999;
    snprintf(path, sizeof path, "%s.txt", self.dli_fname);
    FILE *file = fopen(path, "r");
    if (!file) return 999;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, key, length) != 0 || line[length] != ' ') continue;
        const char *found = line + length + 1;
        if (found[0] == '!') {
            code = atoi(found + 1);
        } else {
            snprintf(value, size, "%s", found);
            code = SUCCESS;
        }
        break;
    }
    fclose(file);
    return code;
}

static int number(const char *key, u64 *value) {
    char found[256];
    int code = text(key, found, sizeof found);
    if (code == SUCCESS) *value = strtoull(found, 0, 10);
    return code;
}

/* The key of a card's reading, `CARD.NAME`. A card marked `CARD.gone` answers nothing else. */
static int of(void *card, const char *name, char *key) {
    u64 code;
    sprintf(key, "%d.gone", (int)(size_t)card - 1);
    if (number(key, &code) == SUCCESS) return (int)code;
    sprintf(key, "%d.%s", (int)(size_t)card - 1, name);
    return SUCCESS;
}

static int card_number(void *card, const char *name, u64 *value) {
    char key[128];
    int code = of(card, name, key);
    return code ? code : number(key, value);
}

static int card_unsigned(void *card, const char *name, unsigned *value) {
    u64 found = 0;
    int code = card_number(card, name, &found);
    *value = (unsigned)found;
    return code;
}

static int card_text(void *card, const char *name, char *value, unsigned size) {
    char key[128];
    int code = of(card, name, key);
    return code ? code : text(key, value, size);
}

int nvmlInit_v2(void) {
    u64 value;
    int code = number("init", &value);
    return code == NOT_SUPPORTED ? SUCCESS : code;
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlSystemGetDriverVersion(char *value, unsigned size) { return text("driver", value, size); }

int nvmlDeviceGetCount_v2(unsigned *count) {
    u64 value = 0;
    int code = number("count", &value);
    *count = (unsigned)value;
    return code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **card) {
    char key[128];
    *card = (void *)(size_t)(index + 1);
    return of(*card, "", key);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **card) {
    unsigned count = 0;
    nvmlDeviceGetCount_v2(&count);
    for (unsigned index = 0; index < count; index++) {
        char key[128], found[128];
        sprintf(key, "%u.uuid", index);
        if (text(key, found, sizeof found) == SUCCESS && strcmp(found, uuid) == 0)
            return nvmlDeviceGetHandleByIndex_v2(index, card);
    }
    return NOT_FOUND;
}

int nvmlDeviceGetName(void *card, char *value, unsigned size) { return card_text(card, "name", value, size); }
int nvmlDeviceGetUUID(void *card, char *value, unsigned size) { return card_text(card, "uuid", value, size); }

int nvmlDeviceGetPciInfo_v3(void *card, Pci *pci) {
    memset(pci, 0, sizeof *pci);
    return card_text(card, "bus", pci->bus_id, sizeof pci->bus_id);
}

int nvmlDeviceGetMemoryInfo_v2(void *card, Memory *memory) {
    int code = card_number(card, "total", &memory->total);
    if (!code) code = card_number(card, "used", &memory->used);
    if (!code) code = card_number(card, "free", &memory->free);
    return code;
}

int nvmlDeviceGetUtilizationRates(void *card, Utilization *rates) {
    return card_unsigned(card, "load", &rates->gpu);
}
int nvmlDeviceGetTemperature(void *card, int sensor, unsigned *value) {
    return sensor == 0 ? card_unsigned(card, "temperature", value) : INVALID;
}
int nvmlDeviceGetPowerUsage(void *card, unsigned *value) { return card_unsigned(card, "power", value); }
int nvmlDeviceGetEnforcedPowerLimit(void *card, unsigned *value) { return card_unsigned(card, "limit", value); }
#ifndef OLD
int nvmlDeviceGetTotalEnergyConsumption(void *card, u64 *value) { return card_number(card, "energy", value); }
#endif
int nvmlDeviceGetClockInfo(void *card, int clock, unsigned *value) {
    return card_unsigned(card, clock == 0 ? "core" : "memory_clock", value);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *card, u64 *value) {
    return card_number(card, "throttle", value);
}

/* `CARD.processes PID:BYTES PID:BYTES …` */
static int processes(void *card, const char *name, unsigned *count, Process *list) {
    char found[256] = "";
    unsigned used = 0, room = *count;
    int code = card_text(card, name, found, sizeof found);
    if (code) return code;
    for (char *part = strtok(found, " "); part; part = strtok(0, " "), used++) {
        if (!list || used >= room) continue;
        memset(&list[used], 0, sizeof *list);
        list[used].pid = (unsigned)strtoul(part, &part, 10);
        list[used].used = strtoull(part + 1, 0, 10);
    }
    *count = used;
    return used > room ? TOO_SMALL : SUCCESS;
}

#ifndef OLD
int nvmlDeviceGetComputeRunningProcesses_v3(void *card, unsigned *count, Process *list) {
    return processes(card, "processes", count, list);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *card, unsigned *count, Process *list) {
    return processes(card, "drawing", count, list);
}
#endif

int nvmlSystemGetProcessName(unsigned pid, char *value, unsigned size) {
    char key[64];
    sprintf(key, "process.%u", pid);
    return text(key, value, size);
}

/* `CARD.busy PID:PERCENT …` */
#ifndef OLD
int nvmlDeviceGetProcessUtilization(void *card, Sample *list, unsigned *count, u64 since) {
    Process found[16];
    unsigned used = 16;
    (void)since;
    int code = processes(card, "busy", &used, found);
    if (code) return code;
    unsigned room = *count;
    *count = used;
    if (!list || room < used) return used ? TOO_SMALL : NOT_FOUND;
    for (unsigned at = 0; at < used; at++) {
        memset(&list[at], 0, sizeof *list);
        list[at].pid = found[at].pid;
        list[at].sm = (unsigned)found[at].used;
        list[at].time = 1;
    }
    return SUCCESS;
}
#endif
