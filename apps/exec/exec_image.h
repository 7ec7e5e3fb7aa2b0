/* What `quince exec --in-kernel` and the exec image agree on: files of the initrd and the last
 * line. */
#ifndef QUINCE_EXEC_IMAGE_H
#define QUINCE_EXEC_IMAGE_H

/* Names within the archive; the image finds them below "/". */
#define EXEC_IMAGE_ARGS   "exec/args" /* NUL-terminated strings: argv of `quince exec` */
#define EXEC_IMAGE_MODULE "exec/module"
#define EXEC_IMAGE_STDIN  "exec/stdin"
#define EXEC_IMAGE_DIR    "/exec/dir" /* and a number */
/* Then the code in decimal and a newline. */
#define EXEC_IMAGE_EXIT "\036quince-exec exit "

#endif
