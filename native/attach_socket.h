/* SPDX-License-Identifier: Apache-2.0 */
/* attach_socket.h: the listening socket that attach clients connect to. */
#ifndef TSRUN_ATTACH_SOCKET_H
#define TSRUN_ATTACH_SOCKET_H

/* Listens at this name of the directory, for the owner alone; the listener or -errno. */
int attach_socket_open(const char *dir, const char *name);

/* Removes the name of what is listening, if anything is; the listener itself is the clients'. */
void attach_socket_close(const char *name);

#endif
