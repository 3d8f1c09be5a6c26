#!/bin/bash
# MLT 7.12.0 (melt of Debian 12): the first frame of a dissolve is the old shot alone, and the last one not yet the new.
#
# Expected: in a dissolve of n frames, `luma` without a map mixes evenly about its middle: shares (k + 1/2) / n, so that
#           a fade in and the same fade out, played backwards, are one.
# Seen:     shares k / n: 0, 1/5, 2/5, 3/5, 4/5 for five frames. The first one shows nothing of the new shot, and the
#           whole fade lies half a frame late; a film held against another program's differs in each frame of its fades.
# So:       for exact shares take `composite` with a geometry whose opacity grows: "0=0 0 100% 100% 10%;4=0 0 100% 100% 90%".
#
# Needs melt on the PATH (apt install melt), no network.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
melt -version 2>&1 | head -1

shares() {  # the properties of the transition -> the share of white in each frame of a fade from black
    cat > fade.mlt <<EOF
<mlt LC_NUMERIC="C"><profile width="32" height="16" progressive="1" sample_aspect_num="1" sample_aspect_den="1"
 display_aspect_num="2" display_aspect_den="1" frame_rate_num="25" frame_rate_den="1" colorspace="709"/>
<producer id="a"><property name="mlt_service">color</property><property name="resource">black</property></producer>
<producer id="b"><property name="mlt_service">color</property><property name="resource">white</property></producer>
<tractor id="f" in="0" out="4"><track producer="a" in="0" out="4"/><track producer="b" in="0" out="4"/>
<transition in="0" out="4"><property name="a_track">0</property><property name="b_track">1</property>$1</transition>
</tractor></mlt>
EOF
    melt fade.mlt -consumer avformat:frames.y f=rawvideo vcodec=rawvideo pix_fmt=gray an=1 real_time=-1 > log 2>&1 < /dev/null
    od -An -v -tu1 -w512 frames.y | awk '{ printf "%.2f ", ($1 - b) / 219 } BEGIN { b = 16 }' 
}
luma=$(shares '<property name="mlt_service">luma</property>')
echo "luma:      $luma"
composite=$(shares '<property name="mlt_service">composite</property><property name="progressive">1</property><property name="geometry">0=0 0 100% 100% 10%;4=0 0 100% 100% 90%</property>')
echo "composite: $composite"
case "$luma" in "0.00 0.20 "*) exit 0 ;; *) exit 1 ;; esac
