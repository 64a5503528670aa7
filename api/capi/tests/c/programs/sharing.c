/* Polling sockets that several threads use at once. A missed wake-up hangs the test. */
#define _GNU_SOURCE
#include "check.h"

#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

#define COUNT 5000

static void *context;
static void *server, *client;

static void make(const char *endpoint)
{
    server = zmq_socket(context, ZMQ_SERVER);
    client = zmq_socket(context, ZMQ_CLIENT);
    if (!endpoint)
        meet(server, client);
    else {
        CHECK(zmq_bind(server, endpoint) == 0);
        CHECK(zmq_connect(client, endpoint) == 0);
    }
}

static void drop(void)
{
    CHECK(zmq_close(client) == 0);
    CHECK(zmq_close(server) == 0);
}

static int is_readable(int fd)
{
    struct pollfd item = {fd, POLLIN, 0};
    return poll(&item, 1, 0) == 1;
}

/* Waits for each answer before it asks again, so that the other side sleeps between two messages. */
static void ask(void *unused)
{
    (void) unused;
    for (int i = 0; i < COUNT; i++) {
        int back = -1;
        CHECK(zmq_send(client, &i, sizeof i, 0) == sizeof i);
        CHECK(zmq_recv(client, &back, sizeof back, 0) == sizeof back);
        CHECK(back == i);
    }
}

static void answer(int count)
{
    zmq_msg_t msg;
    CHECK(zmq_msg_init(&msg) == 0);
    for (int i = 0; i < count; i++) {
        CHECK(zmq_msg_recv(&msg, server, ZMQ_DONTWAIT) == sizeof(int));
        CHECK(zmq_msg_send(&msg, server, 0) == sizeof(int));
    }
    CHECK(zmq_msg_close(&msg) == 0);
}

static void polled(void)
{
    void *thread = zmq_threadstart(ask, NULL);
    /* A socket of this thread's alone is waited for as well. */
    void *own = zmq_socket(context, ZMQ_PULL);
    CHECK(zmq_bind(own, "inproc://own") == 0);
    for (int i = 0; i < COUNT; i++) {
        zmq_pollitem_t items[] = {{own, 0, ZMQ_POLLIN, 0}, {server, 0, ZMQ_POLLIN, 0}};
        CHECK(zmq_poll(items, 2, -1) == 1);
        CHECK(items[0].revents == 0 && items[1].revents == ZMQ_POLLIN);
        answer(1);
    }
    zmq_threadclose(thread);
    void *push = zmq_socket(context, ZMQ_PUSH);
    CHECK(zmq_connect(push, "inproc://own") == 0);
    SENDS(push, "x", 0);
    zmq_pollitem_t items[] = {{own, 0, ZMQ_POLLIN, 0}, {server, 0, ZMQ_POLLIN, 0}};
    CHECK(zmq_poll(items, 2, -1) == 1);
    CHECK(items[0].revents == ZMQ_POLLIN && items[1].revents == 0);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(own) == 0);
}

static void *poller;

static void by_poller(void)
{
    zmq_poller_event_t event;
    void *thread = zmq_threadstart(ask, NULL);
    for (int i = 0; i < COUNT; i++) {
        CHECK(zmq_poller_wait(poller, &event, -1) == 0);
        CHECK(event.socket == server && event.events == ZMQ_POLLIN);
        answer(1);
    }
    zmq_threadclose(thread);
}

/* An event loop of the application's, which waits for the descriptor and then asks the poller. */
static void by_descriptor(int fd)
{
    zmq_poller_event_t event;
    void *thread = zmq_threadstart(ask, NULL);
    for (int answered = 0; answered < COUNT;) {
        struct pollfd item = {fd, POLLIN, 0};
        CHECK(poll(&item, 1, -1) == 1);
        if (zmq_poller_wait(poller, &event, 0) == 0) {
            answer(1);
            answered++;
        } else
            CHECK(zmq_errno() == EAGAIN);
    }
    zmq_threadclose(thread);
}

static void descriptors(void)
{
    int fd = -1, again = -1;
    zmq_poller_event_t event;
    poller = zmq_poller_new();
    FAILS(zmq_poller_fd(poller, &fd), EINVAL);
    CHECK(zmq_poller_add(poller, server, NULL, ZMQ_POLLIN) == 0);
    FAILS(zmq_poller_fd(poller, NULL), EFAULT);
    CHECK(zmq_poller_fd(poller, &fd) == 0 && fd >= 0);
    CHECK(zmq_poller_fd(poller, &again) == 0 && again == fd);
    by_poller();
    by_descriptor(fd);
    /* Silent when there is nothing, and as long as there is nothing. */
    FAILS(zmq_poller_wait(poller, &event, 0), EAGAIN);
    CHECK(!is_readable(fd));
    /* Two messages: readable until the wait after both are taken. */
    SENDS(client, "1234", 0);
    SENDS(client, "5678", 0);
    for (int taken = 0; taken < 2;) {
        struct pollfd item = {fd, POLLIN, 0};
        CHECK(poll(&item, 1, -1) == 1);
        if (zmq_poller_wait(poller, &event, 0) == 0) {
            answer(1);
            taken++;
        }
    }
    while (zmq_poller_wait(poller, &event, 0) == 0)
        ;
    CHECK(!is_readable(fd));
    CHECK(zmq_poller_remove(poller, server) == 0);
    FAILS(zmq_poller_fd(poller, &fd), EINVAL);
    CHECK(zmq_poller_add(poller, server, NULL, ZMQ_POLLIN) == 0);
    CHECK(zmq_poller_destroy(&poller) == 0);
}

/* Nobody looks at sockets at which nothing happens. */
static void idle(void)
{
    struct rusage before, after;
    zmq_pollitem_t item = {server, 0, ZMQ_POLLIN, 0};
    CHECK(zmq_poll(&item, 1, 0) == 0);
    CHECK(getrusage(RUSAGE_THREAD, &before) == 0);
    CHECK(zmq_poll(&item, 1, 300) == 0);
    CHECK(getrusage(RUSAGE_THREAD, &after) == 0);
    CHECK(after.ru_nvcsw - before.ru_nvcsw < 50);
}

static void wait_for_end(void *socket)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    FAILS(zmq_poll(&item, 1, -1), ETERM);
    CHECK(zmq_close(socket) == 0);
}

static void wait_for_close(void *socket)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    FAILS(zmq_poll(&item, 1, -1), ENOTSOCK);
}

/* Several threads wait for one socket, some in a poll and one in a receive; each message wakes enough of them. */
static int received;

static void take(void *polls)
{
    for (;;) {
        int got = -1;
        if (polls) {
            zmq_pollitem_t item = {server, 0, ZMQ_POLLIN, 0};
            CHECK(zmq_poll(&item, 1, -1) == 1);
        }
        int flags = polls ? ZMQ_DONTWAIT : 0;
        if (zmq_recv(server, &got, sizeof got, flags) == -1) {
            CHECK(zmq_errno() == EAGAIN);
            continue;
        }
        if (got == -1)
            return;
        __atomic_fetch_add(&received, 1, __ATOMIC_SEQ_CST);
    }
}

static void together(void)
{
    void *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = zmq_threadstart(take, i ? &received : NULL);
    for (int i = 0; i < COUNT; i++) {
        CHECK(zmq_send(client, &i, sizeof i, 0) == sizeof i);
        while (__atomic_load_n(&received, __ATOMIC_SEQ_CST) != i + 1)
            sched_yield();
    }
    int end = -1;
    for (int i = 0; i < 3; i++)
        CHECK(zmq_send(client, &end, sizeof end, 0) == sizeof end);
    for (int i = 0; i < 3; i++)
        zmq_threadclose(threads[i]);
    received = 0;
}

int main(void)
{
    context = zmq_ctx_new();
    const char *endpoints[] = {NULL, "inproc://sharing", "ipc://@ringmq-sharing"};
    for (int i = 0; i < 3; i++) {
        make(endpoints[i]);
        polled();
        descriptors();
        together();
        idle();
        drop();
    }
    void *closed = zmq_socket(context, ZMQ_SERVER);
    void *thread = zmq_threadstart(wait_for_close, closed);
    /* Before, in or after the poll: the answer is the same. */
    usleep(1000);
    CHECK(zmq_close(closed) == 0);
    zmq_threadclose(thread);
    void *ended = zmq_socket(context, ZMQ_SERVER);
    thread = zmq_threadstart(wait_for_end, ended);
    CHECK(zmq_ctx_term(context) == 0);
    zmq_threadclose(thread);
    return 0;
}
