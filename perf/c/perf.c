/* libzmq's perf programs in one: same names, arguments and output, and nothing but the public interface, so that the same
 * binary measures whichever libzmq.so.5 it finds. Called by its name (a link) or by its first argument:
 *
 *   local_thr  BIND-TO MESSAGE-SIZE MESSAGE-COUNT        remote_thr CONNECT-TO MESSAGE-SIZE MESSAGE-COUNT
 *   local_lat  BIND-TO MESSAGE-SIZE ROUNDTRIP-COUNT      remote_lat CONNECT-TO MESSAGE-SIZE ROUNDTRIP-COUNT
 *   inproc_thr MESSAGE-SIZE MESSAGE-COUNT                inproc_lat MESSAGE-SIZE ROUNDTRIP-COUNT
 *
 * and one that libzmq does not have, in which one thread sends and receives by turns, so that nothing but the calls counts:
 *
 *   inproc_calls MESSAGE-SIZE MESSAGE-COUNT
 *
 * Bodies are sent and received as messages: made (zmq_msg_init_size), filled, sent, and received into one that is kept. With
 * --buffers at the end they are sent and received by zmq_send and zmq_recv, and with --mixed sent by zmq_send and received by
 * zmq_msg_recv. Nobody reads them; but for each call its result is looked at, as in the Rust programs. */
#include <zmq.h>

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether bodies are sent from a buffer, and received into one. */
static int sends_buffers, receives_buffers;
static size_t size;
static unsigned long count;
/* What is sent from, and what is received into: two, because in one process two threads use them. */
static char *body, *room;

/* A buffer on cache lines of its own. */
static char *make_buffer(void)
{
    enum { LINES = 128 };
    size_t bytes = (size / LINES + 1) * LINES;
    char *buffer = aligned_alloc(LINES, bytes);
    return buffer ? memset(buffer, 0, bytes) : NULL;
}

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

/* Into the loops, as the Rust programs have it. */
static inline __attribute__((always_inline)) void send_one(void *socket, const char *from)
{
    if (sends_buffers) {
        check(zmq_send(socket, from, size, 0) == (int) size, "zmq_send");
        return;
    }
    zmq_msg_t msg;
    check(zmq_msg_init_size(&msg, size) == 0, "zmq_msg_init_size");
    memcpy(zmq_msg_data(&msg), from, size);
    check(zmq_msg_send(&msg, socket, 0) == (int) size, "zmq_msg_send");
}

static inline __attribute__((always_inline)) void receive_one(void *socket, zmq_msg_t *msg)
{
    int got = receives_buffers ? zmq_recv(socket, room, size, 0) : zmq_msg_recv(msg, socket, 0);
    check(got == (int) size, "a message of another size");
}

/* Messages from the second on are timed, as in libzmq. */
static void receive_all(void *socket)
{
    zmq_msg_t msg;
    check(zmq_msg_init(&msg) == 0, "zmq_msg_init");
    receive_one(socket, &msg);
    void *watch = zmq_stopwatch_start();
    for (unsigned long i = 1; i < count; i++)
        receive_one(socket, &msg);
    double us = zmq_stopwatch_stop(watch);
    check(zmq_msg_close(&msg) == 0, "zmq_msg_close");
    double rate = count / (us > 0 ? us : 1) * 1e6;
    printf("message size: %zu [B]\nmessage count: %lu\n", size, count);
    printf("mean throughput: %.0f [msg/s]\nmean throughput: %.3f [Mb/s]\n", rate, rate * size * 8 / 1e6);
}

static void send_all(void *socket)
{
    for (unsigned long i = 0; i < count; i++)
        send_one(socket, body);
}

static void echo_all(void *socket)
{
    zmq_msg_t msg;
    check(zmq_msg_init(&msg) == 0, "zmq_msg_init");
    for (unsigned long i = 0; i < count; i++) {
        receive_one(socket, &msg);
        if (receives_buffers)
            send_one(socket, room);
        else
            check(zmq_msg_send(&msg, socket, 0) == (int) size, "zmq_msg_send");
    }
}

static void ask_all(void *socket)
{
    zmq_msg_t msg;
    check(zmq_msg_init(&msg) == 0, "zmq_msg_init");
    void *watch = zmq_stopwatch_start();
    for (unsigned long i = 0; i < count; i++) {
        send_one(socket, body);
        receive_one(socket, &msg);
    }
    double us = zmq_stopwatch_stop(watch);
    check(zmq_msg_close(&msg) == 0, "zmq_msg_close");
    printf("message size: %zu [B]\nroundtrip count: %lu\n", size, count);
    printf("average latency: %.3f [us]\n", us / (count * 2.0));
}

/* What a program does: with which socket, on which side, and what with it. */
struct role {
    const char *name;
    int type;
    int binds;
    void (*act)(void *socket);
};

static const struct role roles[] = {
    {"local_thr", ZMQ_PULL, 1, receive_all},
    {"remote_thr", ZMQ_PUSH, 0, send_all},
    {"local_lat", ZMQ_REP, 1, echo_all},
    {"remote_lat", ZMQ_REQ, 0, ask_all},
    /* Both sides in one process: the one that binds is the one that measures. */
    {"inproc_thr", ZMQ_PULL, 1, receive_all},
    {"inproc_lat", ZMQ_REQ, 1, ask_all},
    {"inproc_calls", 0, 0, NULL},
};

static const struct role other_sides[] = {
    {"inproc_thr", ZMQ_PUSH, 0, send_all},
    {"inproc_lat", ZMQ_REP, 0, echo_all},
};

static const struct role *find(const struct role *in, size_t length, const char *name)
{
    for (size_t i = 0; i < length; i++)
        if (strcmp(in[i].name, name) == 0)
            return in + i;
    return NULL;
}

static void *context;
static const char *endpoint = "inproc://perf";

static void *ready(const struct role *role)
{
    void *socket = zmq_socket(context, role->type);
    check(socket != NULL, "zmq_socket");
    int (*attach)(void *, const char *) = role->binds ? zmq_bind : zmq_connect;
    check(attach(socket, endpoint) == 0, endpoint);
    return socket;
}

static void other_side(void *role)
{
    void *socket = ready(role);
    ((const struct role *) role)->act(socket);
    check(zmq_close(socket) == 0, "zmq_close");
}

/* So many messages are sent before they are received. */
enum { BATCH = 100 };

static void call_all(void)
{
    const struct role receives = {"inproc_calls", ZMQ_PULL, 1, NULL}, sends = {"inproc_calls", ZMQ_PUSH, 0, NULL};
    void *pull = ready(&receives), *push = ready(&sends);
    zmq_msg_t msg;
    check(zmq_msg_init(&msg) == 0, "zmq_msg_init");
    unsigned long batches = (count + BATCH - 1) / BATCH;
    void *watch = zmq_stopwatch_start();
    for (unsigned long i = 0; i < batches; i++) {
        for (int j = 0; j < BATCH; j++)
            send_one(push, body);
        for (int j = 0; j < BATCH; j++)
            receive_one(pull, &msg);
    }
    double us = zmq_stopwatch_stop(watch);
    check(zmq_msg_close(&msg) == 0, "zmq_msg_close");
    printf("message size: %zu [B]\nmessage count: %lu\n", size, batches * BATCH);
    printf("average time of both calls: %.1f [ns]\n", us * 1e3 / (batches * BATCH));
    check(zmq_close(push) == 0 && zmq_close(pull) == 0, "zmq_close");
}

static int usage(void)
{
    fprintf(stderr, "usage: local_thr|remote_thr|local_lat|remote_lat ENDPOINT SIZE COUNT [--buffers|--mixed]\n"
                    "       inproc_thr|inproc_lat|inproc_calls SIZE COUNT [--buffers|--mixed]\n");
    return 1;
}

int main(int argc, char **argv)
{
    const char *name = basename(argv[0]);
    if (!find(roles, sizeof roles / sizeof *roles, name) && argc > 1) {
        name = *++argv;
        argc--;
    }
    const struct role *role = find(roles, sizeof roles / sizeof *roles, name);
    if (!role)
        return usage();
    const struct role *other = find(other_sides, sizeof other_sides / sizeof *other_sides, name);
    receives_buffers = argc > 1 && strcmp(argv[argc - 1], "--buffers") == 0;
    sends_buffers = receives_buffers || (argc > 1 && strcmp(argv[argc - 1], "--mixed") == 0);
    argc -= sends_buffers;
    int within = other || !role->act;
    if (argc != (within ? 3 : 4))
        return usage();
    if (!within)
        endpoint = *++argv;
    size = strtoul(argv[1], NULL, 10);
    count = strtoul(argv[2], NULL, 10);
    body = make_buffer();
    room = make_buffer();
    if (!body || !room || !count)
        return usage();

    context = zmq_ctx_new();
    check(context != NULL, "zmq_ctx_new");
    if (!role->act) {
        call_all();
        check(zmq_ctx_term(context) == 0, "zmq_ctx_term");
        return 0;
    }
    void *socket = ready(role);
    void *thread = other ? zmq_threadstart(other_side, (void *) other) : NULL;
    role->act(socket);
    if (thread)
        zmq_threadclose(thread);
    check(zmq_close(socket) == 0, "zmq_close");
    check(zmq_ctx_term(context) == 0, "zmq_ctx_term");
    return 0;
}
