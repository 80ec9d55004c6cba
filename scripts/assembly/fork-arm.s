@ argc < 2: forks, the child runs this program again with an argument, and its status is passed on. Else: status 42.
 .arch armv4t
 ldr r9,[sp]
 cmp r9,#2
 bge 9f
 mov r7,#2
 svc #0
 cmp r0,#0
 beq 1f
 mvn r0,#0
 sub sp,sp,#8
 mov r1,sp
 mov r2,#0
 mov r3,#0
 mov r7,#114
 svc #0
 ldr r0,[sp]
 lsr r0,r0,#8
 mov r7,#1
 svc #0
1: ldr r0,[sp,#4]
 sub sp,sp,#16
 mov r2,#0
 str r0,[sp]
 str r0,[sp,#4]
 str r2,[sp,#8]
 mov r1,sp
 mov r7,#11
 svc #0
 mov r0,#1
 mov r7,#1
 svc #0
9: mov r0,#42
 mov r7,#1
 svc #0
