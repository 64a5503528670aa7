/* What messages tell about where they came from. Prints it as well, so that two libraries can be compared. */
#include "check.h"

static const char *const names[] = {ZMQ_MSG_PROPERTY_SOCKET_TYPE, "Identity", ZMQ_MSG_PROPERTY_PEER_ADDRESS,
    ZMQ_MSG_PROPERTY_USER_ID, "Resource", "X-hello", "x-hello", "X-empty", "nothing", ""};

static void tell(const char *about, zmq_msg_t *msg)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        errno = 0;
        const char *value = zmq_msg_gets(msg, names[i]);
        CHECK(value ? errno == 0 : errno == EINVAL);
        /* The process's number differs from run to run. */
        if (value && strncmp(value, "localhost:", 10) == 0)
            value = "localhost";
        printf("%s %s=%s\n", about, names[i], value ? value : "-");
    }
    printf("%s fd=%d\n", about, zmq_msg_get(msg, ZMQ_SRCFD) >= 0);
}

static void over(const char *endpoint)
{
    void *context = zmq_ctx_new();
    void *router = zmq_socket(context, ZMQ_ROUTER);
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    char bound[256];
    size_t size = sizeof bound;
    CHECK(zmq_bind(router, endpoint) == 0);
    CHECK(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, bound, &size) == 0);
    CHECK(zmq_setsockopt(dealer, ZMQ_ROUTING_ID, "me", 2) == 0);
    CHECK(zmq_setsockopt(dealer, ZMQ_METADATA, "X-hello:world", 13) == 0);
    FAILS(zmq_setsockopt(dealer, ZMQ_METADATA, "hello:world", 11), EINVAL);
    FAILS(zmq_setsockopt(dealer, ZMQ_METADATA, "X-hello", 7), EINVAL);
    CHECK(zmq_connect(dealer, bound) == 0);
    SENDS(dealer, "first", ZMQ_SNDMORE);
    SENDS(dealer, "second", 0);
    zmq_msg_t part;
    CHECK(zmq_msg_init(&part) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(zmq_msg_recv(&part, router, 0) >= 0);
        tell(endpoint, &part);
    }
    /* Copies and moved messages know it as well, and the text stays where it was. */
    zmq_msg_t other;
    const char *type = zmq_msg_gets(&part, ZMQ_MSG_PROPERTY_SOCKET_TYPE);
    CHECK(zmq_msg_init(&other) == 0);
    CHECK(zmq_msg_copy(&other, &part) == 0);
    tell("copy", &other);
    CHECK(zmq_msg_move(&other, &part) == 0);
    CHECK(zmq_msg_gets(&other, ZMQ_MSG_PROPERTY_SOCKET_TYPE) == type);
    CHECK(zmq_msg_gets(&part, ZMQ_MSG_PROPERTY_SOCKET_TYPE) == NULL);
    CHECK(zmq_msg_close(&part) == 0);
    CHECK(zmq_close(router) == 0);
    CHECK(zmq_close(dealer) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    if (type)
        CHECK(strcmp(type, "DEALER") == 0);
    CHECK(zmq_msg_close(&other) == 0);
}

int main(void)
{
    zmq_msg_t made;
    CHECK(zmq_msg_init_size(&made, 3) == 0);
    tell("made", &made);
    CHECK(zmq_msg_close(&made) == 0);
    over("tcp://127.0.0.1:*");
    over("ipc://*");
    over("inproc://here");
    return 0;
}
