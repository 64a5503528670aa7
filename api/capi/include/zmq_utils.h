/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Old programs include this; what it once declared is in zmq.h. */
#include <zmq.h>
