# For shell tests that look at the `ebm` command from outside. To be sourced with $ebm and $work set;
# counts in $failed.
failed=0

# expect STATUS WORDS... : runs ebm; stdout and stderr are left in $work
expect() {
    want=$1
    shift
    "$ebm" "$@" >"$work/out" 2>"$work/err"
    got=$?
    if [ "$got" -ne "$want" ]; then
        echo "ebm $*: exit status $got, expected $want"
        sed 's/^/    /' "$work/err"
        failed=1
    fi
}

# says FILE TEXT : the last command wrote TEXT to out or err
says() {
    grep -q -e "$2" "$work/$1" || {
        echo "std$1 of the last command lacks '$2':"
        sed 's/^/    /' "$work/$1"
        failed=1
    }
}
