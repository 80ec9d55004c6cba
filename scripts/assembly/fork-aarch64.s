// argc < 2: forks, the child runs this program again with an argument, and its status is passed on. Else: status 42.
 ldr x9,[sp]
 cmp x9,#2
 b.ge 9f
 mov x0,#17
 mov x1,#0
 mov x2,#0
 mov x3,#0
 mov x4,#0
 mov x8,#220
 svc #0
 cbz x0,1f
 mov x0,#-1
 sub sp,sp,#16
 mov x1,sp
 mov x2,#0
 mov x3,#0
 mov x8,#260
 svc #0
 ldr w0,[sp]
 lsr w0,w0,#8
 mov x8,#93
 svc #0
1: ldr x0,[sp,#8]
 sub sp,sp,#32
 stp x0,x0,[sp]
 stp xzr,xzr,[sp,#16]
 mov x1,sp
 mov x2,#0
 mov x8,#221
 svc #0
 mov x0,#1
 mov x8,#93
 svc #0
9: mov x0,#42
 mov x8,#93
 svc #0
