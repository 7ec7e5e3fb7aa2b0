/* What `quince exec --in-kernel` and the exec image agree on: files of the initrd, names of ports
 * and folders, and the last line on the console. */
#ifndef QUINCE_EXEC_IMAGE_H
#define QUINCE_EXEC_IMAGE_H

/* Names within the archive; the image finds them below "/". */
#define EXEC_IMAGE_ARGS   "exec/args" /* NUL-terminated strings: argv of `quince exec` */
#define EXEC_IMAGE_MODULE "exec/module"
#define EXEC_IMAGE_KEY    "exec/key" /* with --key */
/* Followed by a number: where a folder of the host is mounted, and the tag of its device. */
#define EXEC_IMAGE_DIR "/exec/dir"
#define EXEC_IMAGE_TAG "exec-dir"
/* Followed by 0, 1 or 2: ports that are the program's standard streams. */
#define EXEC_IMAGE_STREAM "org.quince.exec."
/* Then the code in decimal and a newline. */
#define EXEC_IMAGE_EXIT "\036quince-exec exit "

#endif
