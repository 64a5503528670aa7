/* Each pattern does what it does, over tcp and inproc. */
#include "check.h"

#include <sys/uio.h>

static void join(void *binder, void *connecter, int tcp)
{
    static int names;
    char endpoint[64];
    if (tcp == 1) {
        meet(binder, connecter);
        return;
    }
    const char *format = tcp ? "ipc://@patterns-%d-%d" : "inproc://patterns-%d-%d";
    snprintf(endpoint, sizeof endpoint, format, (int) getpid(), names++);
    CHECK(zmq_bind(binder, endpoint) == 0);
    CHECK(zmq_connect(connecter, endpoint) == 0);
}

static void pipeline(void *context, int tcp)
{
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *pull = zmq_socket(context, ZMQ_PULL);
    join(pull, push, tcp);
    for (int i = 0; i < 900; i++)
        CHECK(zmq_send(push, &i, sizeof i, 0) == sizeof i);
    for (int i = 0; i < 900; i++) {
        int got = -1;
        CHECK(zmq_recv(pull, &got, sizeof got, 0) == sizeof got);
        CHECK(got == i);
    }
    /* A buffer that is too small gets the beginning, and the return value says how much there was. */
    SENDS(push, "truncated", 0);
    char few[4] = "----";
    CHECK(zmq_recv(pull, few, 3, 0) == 9);
    CHECK(memcmp(few, "tru-", 4) == 0);
    FAILS(zmq_recv(pull, few, 3, ZMQ_DONTWAIT), EAGAIN);
    FAILS(zmq_send(pull, few, 3, 0), ENOTSUP);
    FAILS(zmq_recv(push, few, 3, 0), ENOTSUP);
    static const char constant[] = "constant";
    CHECK(zmq_send_const(push, constant, 8, 0) == 8);
    RECEIVES(pull, "constant");
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
}

static void vectors(void *context, int tcp)
{
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *pull = zmq_socket(context, ZMQ_PULL);
    join(pull, push, tcp);
    struct iovec out[3] = {{"one", 3}, {"", 0}, {"three", 5}};
    CHECK(zmq_sendiov(push, out, 3, 0) == 5);
    struct iovec in[5];
    size_t count = 5;
    CHECK(zmq_recviov(pull, in, &count, 0) == 3);
    CHECK(count == 3);
    for (int i = 0; i < 3; i++) {
        CHECK(in[i].iov_len == out[i].iov_len);
        CHECK(memcmp(in[i].iov_base, out[i].iov_base, in[i].iov_len) == 0);
        free(in[i].iov_base);
    }
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
}

static void exchange(void *context, int tcp)
{
    void *req = zmq_socket(context, ZMQ_REQ);
    void *rep = zmq_socket(context, ZMQ_REP);
    join(rep, req, tcp);
    char byte;
    FAILS(zmq_recv(req, &byte, 1, 0), EFSM);
    FAILS(zmq_send(rep, "x", 1, 0), EFSM);
    SENDS(req, "question", ZMQ_SNDMORE);
    SENDS(req, "?", 0);
    FAILS(zmq_send(req, "x", 1, 0), EFSM);
    RECEIVES(rep, "question");
    CHECK(get_int(rep, ZMQ_RCVMORE) == 1);
    RECEIVES(rep, "?");
    CHECK(get_int(rep, ZMQ_RCVMORE) == 0);
    SENDS(rep, "answer", 0);
    RECEIVES(req, "answer");
    CHECK(zmq_close(req) == 0);
    CHECK(zmq_close(rep) == 0);
}

static void publish(void *context, int tcp)
{
    void *pub = zmq_socket(context, ZMQ_XPUB);
    void *sub = zmq_socket(context, ZMQ_SUB);
    join(pub, sub, tcp);
    CHECK(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "a", 1) == 0);
    RECEIVES(pub, "\1a");
    CHECK(get_int(pub, ZMQ_TOPICS_COUNT) == 1);
    CHECK(get_int(sub, ZMQ_TOPICS_COUNT) == 1);
    SENDS(pub, "b", 0);
    SENDS(pub, "ab", 0);
    RECEIVES(sub, "ab");
    CHECK(zmq_setsockopt(sub, ZMQ_UNSUBSCRIBE, "a", 1) == 0);
    char cancel[2];
    CHECK(zmq_recv(pub, cancel, 2, 0) == 2);
    CHECK(memcmp(cancel, "\0a", 2) == 0);
    FAILS(zmq_setsockopt(pub, ZMQ_SUBSCRIBE, "a", 1), EINVAL);
    CHECK(zmq_close(pub) == 0);
    CHECK(zmq_close(sub) == 0);
}

static void routing(void *context, int tcp)
{
    void *router = zmq_socket(context, ZMQ_ROUTER);
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    CHECK(zmq_setsockopt(dealer, ZMQ_ROUTING_ID, "me", 2) == 0);
    set_int(router, ZMQ_ROUTER_MANDATORY, 1);
    join(router, dealer, tcp);
    SENDS(dealer, "hello", 0);
    RECEIVES(router, "me");
    RECEIVES(router, "hello");
    SENDS(router, "me", ZMQ_SNDMORE);
    SENDS(router, "hello yourself", 0);
    RECEIVES(dealer, "hello yourself");
    FAILS(zmq_send(router, "nobody", 6, ZMQ_SNDMORE), EHOSTUNREACH);
    CHECK(zmq_close(router) == 0);
    CHECK(zmq_close(dealer) == 0);
}

static void proxy_thread(void *sockets)
{
    void **both = sockets;
    FAILS(zmq_proxy(both[0], both[1], NULL), ETERM);
    CHECK(zmq_close(both[0]) == 0);
    CHECK(zmq_close(both[1]) == 0);
}

static void broker(void)
{
    void *context = zmq_ctx_new();
    void *sockets[2] = {zmq_socket(context, ZMQ_ROUTER), zmq_socket(context, ZMQ_DEALER)};
    void *req = zmq_socket(context, ZMQ_REQ);
    void *rep = zmq_socket(context, ZMQ_REP);
    meet(sockets[0], req);
    meet(sockets[1], rep);
    void *thread = zmq_threadstart(proxy_thread, sockets);
    for (int i = 0; i < 100; i++) {
        SENDS(req, "through the broker", 0);
        RECEIVES(rep, "through the broker");
        SENDS(rep, "and back", 0);
        RECEIVES(req, "and back");
    }
    CHECK(zmq_close(req) == 0);
    CHECK(zmq_close(rep) == 0);
    CHECK(zmq_ctx_shutdown(context) == 0);
    zmq_threadclose(thread);
    CHECK(zmq_ctx_term(context) == 0);
}

static void steered_thread(void *sockets)
{
    void **all = sockets;
    CHECK(zmq_proxy_steerable(all[0], all[1], NULL, all[2]) == 0);
}

static void steered(void)
{
    void *context = zmq_ctx_new();
    void *all[3] = {zmq_socket(context, ZMQ_PULL), zmq_socket(context, ZMQ_PUSH), zmq_socket(context, ZMQ_REP)};
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *pull = zmq_socket(context, ZMQ_PULL);
    void *control = zmq_socket(context, ZMQ_REQ);
    join(all[0], push, 1);
    join(all[1], pull, 1);
    join(all[2], control, 0);
    void *thread = zmq_threadstart(steered_thread, all);
    SENDS(push, "12345", 0);
    RECEIVES(pull, "12345");
    SENDS(control, "PAUSE", 0);
    RECEIVES(control, "");
    SENDS(push, "678", 0);
    char byte;
    int timeout = 50;
    CHECK(zmq_setsockopt(pull, ZMQ_RCVTIMEO, &timeout, sizeof timeout) == 0);
    FAILS(zmq_recv(pull, &byte, 1, 0), EAGAIN);
    set_int(pull, ZMQ_RCVTIMEO, -1);
    SENDS(control, "RESUME", 0);
    RECEIVES(control, "");
    RECEIVES(pull, "678");
    SENDS(control, "STATISTICS", 0);
    static const uint64_t expected[8] = {2, 8, 0, 0, 0, 0, 2, 8};
    for (int i = 0; i < 8; i++) {
        uint64_t number;
        CHECK(zmq_recv(control, &number, sizeof number, 0) == sizeof number);
        CHECK(number == expected[i]);
        CHECK(get_int(control, ZMQ_RCVMORE) == (i < 7));
    }
    SENDS(control, "TERMINATE", 0);
    RECEIVES(control, "");
    zmq_threadclose(thread);
    for (int i = 0; i < 3; i++)
        CHECK(zmq_close(all[i]) == 0);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
    CHECK(zmq_close(control) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

static void streams(void)
{
    void *context = zmq_ctx_new();
    void *server = zmq_socket(context, ZMQ_STREAM);
    void *client = zmq_socket(context, ZMQ_STREAM);
    char id[256], theirs[256];
    size_t size = sizeof id;
    meet(server, client);
    CHECK(zmq_getsockopt(client, ZMQ_ROUTING_ID, id, &size) == 0);
    CHECK(size == 5);
    CHECK(zmq_recv(client, theirs, sizeof theirs, 0) == 5 && memcmp(id, theirs, 5) == 0);
    RECEIVES(client, "");
    CHECK(zmq_recv(server, theirs, sizeof theirs, 0) == 5);
    RECEIVES(server, "");
    CHECK(zmq_send(client, id, 5, ZMQ_SNDMORE) == 5);
    SENDS(client, "GET", 0);
    CHECK(zmq_recv(server, theirs, sizeof theirs, 0) == 5);
    RECEIVES(server, "GET");
    CHECK(zmq_close(server) == 0);
    CHECK(zmq_close(client) == 0);
    CHECK(zmq_ctx_term(context) == 0);
}

int main(void)
{
    void *context = zmq_ctx_new();
    CHECK(context);
    /* In the process, over tcp, and by shared memory. */
    for (int tcp = 0; tcp < 3; tcp++) {
        pipeline(context, tcp);
        vectors(context, tcp);
        exchange(context, tcp);
        publish(context, tcp);
        routing(context, tcp);
    }
    CHECK(zmq_ctx_term(context) == 0);
    streams();
    broker();
    steered();
    return 0;
}
