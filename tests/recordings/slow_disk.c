/* A slow disk, for a test: a write to a track or a timeline takes VOXHALL_TEST_WRITE_MS longer. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_recording(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) {
        return 0;
    }
    path[length] = 0;
    return strstr(path, "/track-") != NULL || strstr(path, "/timeline.jsonl") != NULL;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    static ssize_t (*plain)(int, const void *, size_t);
    if (plain == NULL) {
        plain = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    }
    const char *text = getenv("VOXHALL_TEST_WRITE_MS");
    if (text != NULL && is_recording(fd)) {
        long ms = atol(text);
        struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
        nanosleep(&pause, NULL);
    }
    return plain(fd, bytes, count);
}
