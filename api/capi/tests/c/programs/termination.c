/* Contexts end: waiting calls are told, later calls as well, and what was sent is delivered. */
#include "check.h"

#include <pthread.h>
#include <signal.h>

static void *context;

static void receive_until_the_end(void *socket)
{
    char byte;
    FAILS(zmq_recv(socket, &byte, 1, 0), ETERM);
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    FAILS(zmq_poll(&item, 1, -1), ETERM);
    FAILS(zmq_send(socket, "x", 1, 0), ETERM);
    FAILS(zmq_bind(socket, "inproc://late"), ETERM);
    FAILS(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), ETERM);
    int events;
    size_t size = sizeof events;
    FAILS(zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size), ETERM);
    IS_NULL(zmq_socket(context, ZMQ_PAIR), ETERM);
    CHECK(zmq_close(socket) == 0);
}

static void poll_until_the_end(void *socket)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    FAILS(zmq_poll(&item, 1, -1), ETERM);
    CHECK(zmq_close(socket) == 0);
}

static void waiting_calls_end(int shut_down_first)
{
    context = zmq_ctx_new();
    void *threads[10];
    for (int i = 0; i < 10; i++) {
        void *socket = zmq_socket(context, i % 2 ? ZMQ_DEALER : ZMQ_PAIR);
        CHECK(zmq_bind(socket, "tcp://127.0.0.1:*") == 0);
        if (i > 7)
            get_int(socket, ZMQ_FD);
        threads[i] = zmq_threadstart(i % 4 < 2 ? receive_until_the_end : poll_until_the_end, socket);
    }
    usleep(shut_down_first ? 0 : 1000);
    if (shut_down_first)
        CHECK(zmq_ctx_shutdown(context) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    for (int i = 0; i < 10; i++)
        zmq_threadclose(threads[i]);
}

static void receive_all(void *socket)
{
    char block[10000];
    for (int i = 0; i < 900; i++)
        CHECK(zmq_recv(socket, block, sizeof block, 0) == sizeof block);
    CHECK(zmq_close(socket) == 0);
}

/* LINGER is for ever by default: the reader comes late. */
static void what_was_sent_arrives(void)
{
    void *receiving = zmq_ctx_new();
    context = zmq_ctx_new();
    void *pull = zmq_socket(receiving, ZMQ_PULL);
    void *push = zmq_socket(context, ZMQ_PUSH);
    meet(pull, push);
    char block[10000] = {0};
    for (int i = 0; i < 900; i++)
        CHECK(zmq_send(push, block, sizeof block, 0) == sizeof block);
    CHECK(zmq_close(push) == 0);
    void *thread = zmq_threadstart(receive_all, pull);
    CHECK(zmq_ctx_term(context) == 0);
    zmq_threadclose(thread);
    CHECK(zmq_ctx_term(receiving) == 0);
}

static volatile sig_atomic_t over;

static void on_signal(int number)
{
    (void) number;
}

static pthread_t main_thread;

static void interrupt(void *unused)
{
    (void) unused;
    while (!over) {
        pthread_kill(main_thread, SIGUSR1);
        usleep(1000);
    }
}

static void interruptions(void)
{
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    main_thread = pthread_self();
    context = zmq_ctx_new();
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *thread = zmq_threadstart(interrupt, NULL);
    /* A socket that is open, then one whose messages nobody takes: the wait can be given up, and taken up again. */
    CHECK(zmq_connect(push, "tcp://127.0.0.1:1") == 0);
    FAILS(zmq_ctx_term(context), EINTR);
    CHECK(zmq_close(push) == 0);
    over = 1;
    zmq_threadclose(thread);
    while (zmq_ctx_term(context) != 0)
        CHECK(zmq_errno() == EINTR);

    context = zmq_ctx_new();
    push = zmq_socket(context, ZMQ_PUSH);
    set_int(push, ZMQ_LINGER, 300);
    CHECK(zmq_connect(push, "tcp://127.0.0.1:1") == 0);
    SENDS(push, "to nobody", 0);
    CHECK(zmq_close(push) == 0);
    over = 0;
    thread = zmq_threadstart(interrupt, NULL);
    int interrupted = 0;
    while (zmq_ctx_term(context) != 0) {
        CHECK(zmq_errno() == EINTR);
        interrupted = 1;
    }
    CHECK(interrupted);
    over = 1;
    zmq_threadclose(thread);
}

static void open_and_close(void *unused)
{
    (void) unused;
    for (;;) {
        void *socket = zmq_socket(context, ZMQ_DEALER);
        if (!socket) {
            CHECK(zmq_errno() == ETERM);
            return;
        }
        zmq_connect(socket, "inproc://meeting");
        zmq_connect(socket, "tcp://127.0.0.1:1");
        CHECK(zmq_close(socket) == 0);
    }
}

static void many_threads(void)
{
    void *threads[20];
    context = zmq_ctx_new();
    for (int i = 0; i < 20; i++)
        threads[i] = zmq_threadstart(open_and_close, NULL);
    usleep(20000);
    CHECK(zmq_ctx_term(context) == 0);
    for (int i = 0; i < 20; i++)
        zmq_threadclose(threads[i]);
}

int main(void)
{
    context = zmq_ctx_new();
    CHECK(zmq_ctx_term(context) == 0);
    context = zmq_init(1);
    CHECK(zmq_ctx_shutdown(context) == 0);
    CHECK(zmq_term(context) == 0);
    for (int i = 0; i < 10; i++)
        waiting_calls_end(i % 2);
    what_was_sent_arrives();
    interruptions();
    many_threads();
    return 0;
}
