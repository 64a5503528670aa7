/* Checks of the test programs: the first that fails says where, and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <zmq.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s (errno %d: %s)\n", __FILE__, __LINE__, #condition, zmq_errno(),       \
                zmq_strerror(zmq_errno()));                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The call fails with that errno. */
#define FAILS(call, number)                                                                                  \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        CHECK((call) == -1);                                                                                 \
        CHECK(zmq_errno() == (number));                                                                      \
    } while (0)

/* The call returns NULL with that errno. */
#define IS_NULL(call, number)                                                                                \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        CHECK((call) == NULL);                                                                               \
        CHECK(zmq_errno() == (number));                                                                      \
    } while (0)

#define SENDS(socket, text, flags) CHECK(zmq_send(socket, text, strlen(text), flags) == (int) strlen(text))

/* The next part is that text. */
static inline void receives_at(void *socket, const char *text, int line)
{
    char buffer[256];
    int length = zmq_recv(socket, buffer, sizeof buffer, 0);
    if (length != (int) strlen(text) || memcmp(buffer, text, strlen(text)) != 0) {
        fprintf(stderr, "line %d: wanted \"%s\", got %d: \"%.*s\" (%s)\n", line, text, length,
            length < 0 ? 0 : length, buffer, zmq_strerror(zmq_errno()));
        abort();
    }
}
#define RECEIVES(socket, text) receives_at(socket, text, __LINE__)

static inline int get_int(void *socket, int option)
{
    int value = -1;
    size_t size = sizeof value;
    CHECK(zmq_getsockopt(socket, option, &value, &size) == 0);
    CHECK(size == sizeof value);
    return value;
}

static inline void set_int(void *socket, int option, int value)
{
    CHECK(zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

/* Binds to a port of the system's choice and connects the other socket to it. */
static inline void meet_at(void *binder, void *connecter, const char *wanted)
{
    char endpoint[256];
    size_t size = sizeof endpoint;
    CHECK(zmq_bind(binder, wanted) == 0);
    CHECK(zmq_getsockopt(binder, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    CHECK(size == strlen(endpoint) + 1);
    CHECK(zmq_connect(connecter, endpoint) == 0);
}

static inline void meet(void *binder, void *connecter)
{
    meet_at(binder, connecter, "tcp://127.0.0.1:*");
}

#endif
