/* The functions that other files than wasi.c define. */
#ifndef QUINCE_WASI_FUNCTIONS_H
#define QUINCE_WASI_FUNCTIONS_H

#include "internal.h"

/* fd.c */
uint32_t wasi_fd_advise(struct wasm_instance *in, uint32_t fd, uint64_t offset, uint64_t len,
                        uint32_t advice);
uint32_t wasi_fd_allocate(struct wasm_instance *in, uint32_t fd, uint64_t offset, uint64_t len);
uint32_t wasi_fd_close(struct wasm_instance *in, uint32_t fd);
uint32_t wasi_fd_datasync(struct wasm_instance *in, uint32_t fd);
uint32_t wasi_fd_fdstat_get(struct wasm_instance *in, uint32_t fd, uint32_t out);
uint32_t wasi_fd_fdstat_set_flags(struct wasm_instance *in, uint32_t fd, uint32_t flags);
uint32_t wasi_fd_fdstat_set_rights(struct wasm_instance *in, uint32_t fd, uint64_t rights,
                                   uint64_t inheriting);
uint32_t wasi_fd_filestat_get(struct wasm_instance *in, uint32_t fd, uint32_t out);
uint32_t wasi_fd_filestat_set_size(struct wasm_instance *in, uint32_t fd, uint64_t size);
uint32_t wasi_fd_filestat_set_times(struct wasm_instance *in, uint32_t fd, uint64_t atim,
                                    uint64_t mtim, uint32_t flags);
uint32_t wasi_fd_pread(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                       uint64_t offset, uint32_t out);
uint32_t wasi_fd_prestat_get(struct wasm_instance *in, uint32_t fd, uint32_t out);
uint32_t wasi_fd_prestat_dir_name(struct wasm_instance *in, uint32_t fd, uint32_t path,
                                  uint32_t len);
uint32_t wasi_fd_pwrite(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                        uint64_t offset, uint32_t out);
uint32_t wasi_fd_read(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                      uint32_t out);
uint32_t wasi_fd_readdir(struct wasm_instance *in, uint32_t fd, uint32_t buffer, uint32_t len,
                         uint64_t cookie, uint32_t out);
uint32_t wasi_fd_renumber(struct wasm_instance *in, uint32_t from, uint32_t to);
uint32_t wasi_fd_seek(struct wasm_instance *in, uint32_t fd, uint64_t offset, uint32_t whence,
                      uint32_t out);
uint32_t wasi_fd_sync(struct wasm_instance *in, uint32_t fd);
uint32_t wasi_fd_tell(struct wasm_instance *in, uint32_t fd, uint32_t out);
uint32_t wasi_fd_write(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                       uint32_t out);

/* path.c */
uint32_t wasi_path_create_directory(struct wasm_instance *in, uint32_t fd, uint32_t path,
                                    uint32_t len);
uint32_t wasi_path_filestat_get(struct wasm_instance *in, uint32_t fd, uint32_t flags,
                                uint32_t path, uint32_t len, uint32_t out);
uint32_t wasi_path_filestat_set_times(struct wasm_instance *in, uint32_t fd, uint32_t flags,
                                      uint32_t path, uint32_t len, uint64_t atim, uint64_t mtim,
                                      uint32_t fst_flags);
uint32_t wasi_path_link(struct wasm_instance *in, uint32_t old_fd, uint32_t flags,
                        uint32_t old_path, uint32_t old_len, uint32_t new_fd, uint32_t new_path,
                        uint32_t new_len);
uint32_t wasi_path_open(struct wasm_instance *in, uint32_t fd, uint32_t lookup, uint32_t path,
                        uint32_t len, uint32_t oflags, uint64_t rights, uint64_t inheriting,
                        uint32_t fdflags, uint32_t out);
uint32_t wasi_path_readlink(struct wasm_instance *in, uint32_t fd, uint32_t path, uint32_t len,
                            uint32_t buffer, uint32_t size, uint32_t out);
uint32_t wasi_path_remove_directory(struct wasm_instance *in, uint32_t fd, uint32_t path,
                                    uint32_t len);
uint32_t wasi_path_rename(struct wasm_instance *in, uint32_t old_fd, uint32_t old_path,
                          uint32_t old_len, uint32_t new_fd, uint32_t new_path, uint32_t new_len);
uint32_t wasi_path_symlink(struct wasm_instance *in, uint32_t target, uint32_t target_len,
                           uint32_t fd, uint32_t path, uint32_t len);
uint32_t wasi_path_unlink_file(struct wasm_instance *in, uint32_t fd, uint32_t path, uint32_t len);

/* poll.c */
uint32_t wasi_poll_oneoff(struct wasm_instance *in, uint32_t subscriptions, uint32_t events,
                          uint32_t count, uint32_t out);

/* socket.c */
uint32_t wasi_sock_accept(struct wasm_instance *in, uint32_t fd, uint32_t flags, uint32_t out);
uint32_t wasi_sock_recv(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                        uint32_t flags, uint32_t out, uint32_t out_flags);
uint32_t wasi_sock_send(struct wasm_instance *in, uint32_t fd, uint32_t iovs, uint32_t count,
                        uint32_t flags, uint32_t out);
uint32_t wasi_sock_shutdown(struct wasm_instance *in, uint32_t fd, uint32_t how);

#endif
