#!/bin/sh
# quince-cc as the CC of a build made for any compiler: the questions configure scripts ask, separate
# compilation, dependency files, libraries, and what must be refused.
# usage: cc_test.sh QUINCE_CC RUN_KERNEL     prints TAP
set -u
cc=$(realpath "$1") run=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
count=0 failed=0

point() { # CODE WHAT
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        sed 's/^/# /' log
        failed=1
    fi
}
try() { # WHAT COMMAND…: succeeds
    what=$1
    shift
    "$@" > log 2>&1
    point $? "$what"
}
refuse() { # WHAT PATTERN COMMAND…: fails with a line that matches
    what=$1 pattern=$2
    shift 2
    if "$@" > log 2>&1; then
        point 1 "$what"
    else
        grep -q -e "$pattern" log
        point $? "$what"
    fi
}

echo 'int main(void) { return 0; }' > conftest.c
try 'conftest.c to a.out' sh -c "'$cc' conftest.c && test -x a.out"
try 'conftest.c to a named file' sh -c "'$cc' -o conftest -g -O2 conftest.c && test -x conftest"
try '--version' sh -c "'$cc' --version | grep -qi gcc"
try '-v with nothing' "$cc" -v
try '-dumpmachine' sh -c "test \$('$cc' -dumpmachine) = x86_64-linux-musl"
try '-print-prog-name=ld' sh -c "test -n \"\$('$cc' -print-prog-name=ld)\""
try '-E' sh -c "echo '#include <stdio.h>' | '$cc' -E - | grep -q printf"
try '-E sees only the sysroot' sh -c "! (echo '#include <gnu/libc-version.h>' | '$cc' -E -)"
try '-S' sh -c "'$cc' -S conftest.c && grep -q main conftest.s"
try '-c' sh -c "'$cc' -c conftest.c && test -f conftest.o"
try '-c -o, link of objects' sh -c "'$cc' -c conftest.c -o other.o && '$cc' other.o -o linked"
try '-M' sh -c "'$cc' -M conftest.c | grep -q 'conftest.o: conftest.c'"
try '-MMD -MF' sh -c "'$cc' -MMD -MF dep.d -c conftest.c && grep -q conftest.c dep.d"
try 'standard input' sh -c "'$cc' -x c - -o stdin < conftest.c"
refuse 'no input' 'no input files' "$cc" -o x
refuse 'a missing file' 'nowhere.c' "$cc" nowhere.c
echo 'int main(void) { return missing_function(); }' > missing.c
refuse 'a missing function' 'missing_function' "$cc" missing.c -o missing
echo 'int lonely(void) { return 0; }' > lonely.c
refuse 'no main' 'main' "$cc" lonely.c -o lonely
refuse 'a syntax error' 'error' sh -c "echo 'int main(' | '$cc' -x c - -o bad"
refuse '-shared' 'no shared objects' "$cc" -shared conftest.c -o lib.so
refuse 'a library that is not there' 'nothere' "$cc" conftest.c -lnothere
refuse 'a library of this machine' 'cannot find -lstdc++' "$cc" conftest.c -lstdc++
refuse 'an unknown part' 'there is "net"' "$cc" --without=nothing conftest.c
for library in m pthread rt dl util crypt resolv; do
    try "-l$library" "$cc" conftest.c "-l$library" -o conftest
done
try '-static -pthread -fPIE -pie -Wl,-O1,--as-needed -s' \
    "$cc" -static -pthread -fPIE -pie -Wl,-O1,--as-needed -s conftest.c -o conftest
try 'a header and a function' sh -c "cat > h.c <<'C' && '$cc' h.c -o h
#include <pthread.h>
#include <sys/epoll.h>
#include <math.h>
int main(int argc, char **argv) { (void)argv; return (int)sqrt(argc) + epoll_create1(0) > 100; }
C"

# A little program in two files and a static library, with arguments and an exit code.
cat > part.c <<'C'
#include <stdio.h>
__thread int own = 5;
int part(int n) { return printf("part %d of %d\n", n, own) > 0; }
C
cat > whole.c <<'C'
#include <stdio.h>
#include <stdlib.h>
int part(int n);
__attribute__((constructor)) static void first(void) { puts("constructor"); }
static void last(void) { puts("atexit"); }
int main(int argc, char **argv)
{
    atexit(last);
    for (int i = 0; i < argc; i++)
        printf("[%s]", argv[i]);
    printf(" %s\n", getenv("COLOUR"));
    return part(argc) ? 7 : 1;
}
C
try 'a static library' sh -c "'$cc' -c part.c && ar rcs libpart.a part.o &&
    '$cc' --without=net,engine whole.c -L. -lpart -o whole"
"$run" whole --append 'env.COLOUR=yellow -- one "two words" three\ more' --exit 7 \
    --expect '^constructor$' --expect '^\[app\]\[one\]\[two words\]\[three more\] yellow$' \
    --expect '^part 4 of 5$' --expect '^atexit$' > log 2>&1
point $? 'runs with arguments, environment, thread-local data, constructors and an exit code'
echo '#include <stdlib.h>
int main(void) { abort(); }' > aborts.c
try 'a program that aborts' "$cc" --without=net,engine aborts.c -o aborts
"$run" aborts --exit 127 --expect 'application ended by signal 6 \(aborted\)' > log 2>&1
point $? 'says by which signal it ended'
echo "1..$count"
exit $failed
