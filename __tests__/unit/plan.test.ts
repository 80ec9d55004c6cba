import { boards } from '../../src/boards'
import { parseInputs, type ImageRef, type Inputs } from '../../src/inputs'
import { boardFor, describePlan, planMachine, toolsFor, wantsGenericKernel, type MachinePlan } from '../../src/plan'
import { qemuArguments, type Machine } from '../../src/qemu'
import { BadInput } from '../../src/report/errors'
import { defaultInputs, preparedImage } from './samples'

interface Change {
  readonly inputs?: Partial<Inputs>
  readonly image?: Parameters<typeof preparedImage>[0]
}

const whole = ({ inputs: asked = {}, image: is = {} }: Change = {}): MachinePlan => {
  const inputs = { ...defaultInputs, ...asked }
  const image = preparedImage(is)
  const board = boardFor(inputs, image)
  return planMachine({ inputs, image, board, volumes: [], logs: '/logs', clock: 1_700_000_000_123 })
}
const plan = (change: Change = {}): Machine => whole(change).machine
const treeOf = (change: Change = {}): string | undefined => whole(change).deviceTree?.from

const genericKernel = {
  bootFiles: {
    names: ['kernel8.img', 'initramfs8', 'bcm2837-rpi-3-b.dtb'],
    overlays: [],
    kernelReleases: { 'kernel8.img': '6.1.0-28-arm64' }
  }
}

describe('the programs that a run needs', () => {
  const always = ['qemu-img', 'qemu-io', 'sfdisk', 'mcopy', 'mke2fs', 'debugfs', 'e2fsck', 'ssh-keygen', 'fdtput']
  const file = (path: string): ImageRef => ({ kind: 'file', path })
  const url = (address: string): ImageRef => ({ kind: 'url', url: address })

  test.each<[string, ImageRef, readonly string[]]>([
    [
      'the built-in image is built here',
      { kind: 'mini', name: 'mini-arm64', architecture: 'arm64' },
      ['mmdebstrap', 'mkfs.vfat', 'cpio', 'depmod']
    ],
    ['a raw image needs no unpacker', file('/x/pi.IMG'), []],
    ['nor does a qcow2', file('/x/pi.qcow2'), []],
    ['xz', file('/x/pi.img.xz'), ['xz']],
    ['gzip', file('/x/pi.img.gz'), ['gzip']],
    ['the ending of a URL is that of its path', url('https://example.org/pi.img.zst?file=x.xz#y.gz'), ['zstd']],
    ['zip', url('https://example.org/PI.ZIP'), ['bsdtar']],
    ['a name that tells nothing', url('https://example.org/latest'), ['xz', 'gzip', 'zstd', 'bsdtar']]
  ])('%s', (_, image, more) => {
    expect(toolsFor({ image, saveImage: undefined })).toEqual([...always, ...more])
  })

  test('include what compresses the saved disk, once', () => {
    const image = file('/x/pi.img.xz')
    expect(toolsFor({ image, saveImage: { path: '/o.img.xz', format: 'xz' } })).toEqual([...always, 'xz'])
    expect(toolsFor({ image, saveImage: { path: '/o.img.zst', format: 'zst' } })).toEqual([...always, 'xz', 'zstd'])
    expect(toolsFor({ image, saveImage: { path: '/o.qcow2', format: 'qcow2' } })).toEqual([...always, 'xz'])
  })
})

describe('the machine for an image', () => {
  test("has the image's own kernel, initramfs and device tree on the default board", () => {
    const { board, kernel, initrd, dtb, memoryMiB, cpus, logs } = plan()
    expect(treeOf()).toBe('/cache/images/0123/boot/bcm2710-rpi-3-b.dtb')
    expect({ board: board.name, kernel, initrd, dtb, memoryMiB, cpus, logs }).toEqual({
      board: 'raspi3b',
      kernel: '/cache/images/0123/boot/kernel8.img',
      initrd: '/cache/images/0123/boot/initramfs8',
      dtb: 'board.dtb',
      memoryMiB: 1024,
      cpus: 4,
      logs: '/logs'
    })
  })

  test('boots without an initramfs where the image has none', () => {
    const bootFiles = { names: ['kernel8.img', 'bcm2710-rpi-3-b.dtb'], overlays: [], kernelReleases: {} }
    expect(plan({ image: { bootFiles } }).initrd).toBeUndefined()
  })

  test("does not give the image's initramfs to a kernel from elsewhere", () => {
    expect(plan({ inputs: { kernel: '/k' } })).toMatchObject({ kernel: '/k', initrd: undefined })
    expect(plan({ inputs: { kernel: '/k', initrd: '/i' } })).toMatchObject({ kernel: '/k', initrd: '/i' })
    expect(plan({ inputs: { initrd: '/i' } })).toMatchObject({
      kernel: '/cache/images/0123/boot/kernel8.img',
      initrd: '/i'
    })
  })

  test('has the device tree that was asked for', () => {
    expect(treeOf({ inputs: { dtb: '/my/bcm2710-rpi-3-b-plus.dtb' } })).toBe('/my/bcm2710-rpi-3-b-plus.dtb')
  })

  test('has the CPU, and the time, of its board unless asked otherwise', () => {
    expect(plan({ inputs: { board: 'virt' }, image: genericKernel })).toMatchObject({
      cpu: 'cortex-a72',
      clock: 'host'
    })
    expect(plan({ inputs: { board: 'virt', cpu: 'max', clock: 'icount' }, image: genericKernel })).toMatchObject({
      ...{ cpu: 'max', clock: 'icount' }
    })
    const files = { names: ['kernel7.img', 'bcm2836-rpi-2-b.dtb'], overlays: [], kernelReleases: {} }
    expect(plan({ image: { architecture: 'armhf', bootFiles: files } })).toMatchObject({
      ...{ board: boards.raspi2b, cpu: undefined, clock: 'host' }
    })
    const on32 = plan({ inputs: { board: 'virt' }, image: { architecture: 'armhf', bootFiles: files } })
    expect(on32).toMatchObject({ cpu: 'cortex-a15', machineOptions: 'highmem=off' })
  })

  test("runs on the host's own CPU where that is an Arm one, on virt, unless a CPU or a time was asked for", () => {
    const on = (inputs: Partial<Inputs>, image: Change['image'] = genericKernel): Machine => {
      const asked = { ...defaultInputs, ...inputs }
      const prepared = preparedImage(image)
      const request = { inputs: asked, image: prepared, board: boardFor(asked, prepared), kvm: true }
      return planMachine({ ...request, volumes: [], logs: '/logs', clock: 0 }).machine
    }
    expect(on({ board: 'virt' })).toMatchObject({ accelerator: 'kvm', cpu: 'host', machineOptions: 'gic-version=host' })
    expect(qemuArguments(on({ board: 'virt' })).join(' ')).toContain('-cpu host -smp 2 -m 1024 -accel kvm ')
    expect(on({ board: 'virt', cpu: 'cortex-a53' })).toMatchObject({ accelerator: 'tcg', cpu: 'cortex-a53' })
    expect(on({ board: 'virt', clock: 'icount' }).accelerator).toBe('tcg')
    expect(on({}).accelerator).toBe('tcg')
    const armhf = { architecture: 'armhf' as const, bootFiles: { ...genericKernel.bootFiles, names: ['kernel7.img'] } }
    expect(on({ board: 'virt' }, armhf)).toMatchObject({ accelerator: 'tcg', cpu: 'cortex-a15' })
  })

  test("a device tree gets the board's fixes, unless it is the user's own", () => {
    const fixes = (change: Change): number => whole(change).deviceTree?.fixes.length ?? -1
    const files = { names: ['kernel8.img', 'bcm2711-rpi-4-b.dtb'], overlays: [], kernelReleases: {} }
    expect(fixes({ inputs: { board: 'raspi4b' }, image: { bootFiles: files } })).toBeGreaterThan(0)
    expect(fixes({ inputs: { board: 'raspi4b', dtb: '/d' }, image: { bootFiles: files } })).toBe(0)
  })

  test('overlays are names of the image or files', () => {
    const overlays = (...names: string[]): readonly string[] | undefined =>
      whole({ inputs: { overlays: names } }).deviceTree?.overlays
    expect(overlays('disable-bt')).toEqual(['/cache/images/0123/boot/overlays/disable-bt.dtbo'])
    expect(() => overlays('disable-wifi')).toThrow(
      /^input `overlays` names “disable-wifi”, which the image does not have; valid: disable-bt, miniuart-bt$/
    )
    expect(() => overlays('mine.dtbo')).toThrow(
      /^input `overlays` names \/work\/project\/mine\.dtbo, which does not exist$/
    )
  })

  describe('has its disk', () => {
    const place = (inputs: Partial<Inputs>, image: Change['image'] = { usbKernels: ['kernel8.img'] }): unknown => {
      const [asked, prepared] = [{ ...defaultInputs, ...inputs }, preparedImage(image)]
      const request = { inputs: asked, image: prepared, board: boardFor(asked, prepared), qemu: '7.2.22' }
      return planMachine({ ...request, volumes: [], logs: '/logs', clock: 0 }).machine.diskPlace
    }

    test('on USB where that is faster and certain to boot, else in the card slot', () => {
      expect(place({})).toBe('usb')
      expect(place({}, {})).toBe('sd')
      expect(place({}, { usbKernels: ['kernel7.img'] })).toBe('sd')
    })

    test.each<Partial<Inputs>>([
      { kernel: '/k' },
      { initrd: '/i' },
      { dtb: '/d.dtb' },
      { append: 'quiet root=/dev/mmcblk0p3' },
      { firstBoot: 'run' }
    ])('in the card slot with %j, which may count on it', inputs => {
      expect(place(inputs)).toBe('sd')
      expect(place({ ...inputs, storage: 'usb' })).toBe('usb')
    })
  })

  test('has the size that was asked for, on virt', () => {
    const machine = plan({ inputs: { board: 'virt', memoryMiB: 4096, cpus: 3 }, image: genericKernel })
    expect(machine).toMatchObject({ board: boards.virt, memoryMiB: 4096, cpus: 3, dtb: undefined })
    expect(treeOf({ inputs: { board: 'virt' }, image: genericKernel })).toBeUndefined()
  })

  test('has an interrupt controller for as many CPUs as may be asked for', () => {
    const most = (): string => {
      try {
        const inputs = parseInputs({ board: 'virt', cpus: '16' }, { env: {}, workspace: '/work' })
        return qemuArguments(plan({ inputs, image: genericKernel })).join(' ')
      } catch (error) {
        if (error instanceof BadInput) return 'refused'
        throw error
      }
    }
    // GICv2, the default of QEMU's virt before 8.2 or so, serves 8: more are refused when QEMU starts.
    expect(most()).toMatch(/^refused$|-machine \S*gic-version=/)
  })

  test('has the ports, volumes and arguments that were asked for', () => {
    const forwards = [{ protocol: 'tcp', host: 8080, guest: 80 }] as const
    expect(plan({ inputs: { ports: forwards, qemuArgs: ['-d', 'x'] } })).toMatchObject({ forwards, extra: ['-d', 'x'] })
  })
})

describe('kernel arguments', () => {
  test("are, in order: root, consoles, clock, the board's, the image's, the user's", () => {
    expect(plan({ inputs: { append: 'loglevel=3 quiet' } }).kernelArguments).toEqual([
      'root=PARTUUID=4e639091-02',
      'rootfstype=ext4',
      'rootwait',
      'rw',
      'earlycon=pl011,mmio32,0x3f201000',
      '8250.nr_uarts=1',
      'console=tty1',
      'console=ttyAMA1,115200',
      'console=ttyS0,115200',
      'loglevel=7',
      'systemd.clock_usec=1700000000123000',
      'dwc_otg.lpm_enable=0',
      'dwc_otg.fiq_fsm_enable=0',
      'fsck.mode=skip',
      'loglevel=3 quiet'
    ])
  })

  const consoles = (machine: Machine): readonly string[] =>
    machine.kernelArguments.filter(word => word.startsWith('console='))

  test("name the console as the device tree does: Raspberry Pi's and mainline's count the UARTs differently", () => {
    expect(consoles(plan())).toEqual(['console=tty1', 'console=ttyAMA1,115200', 'console=ttyS0,115200'])
    expect(consoles(plan({ image: genericKernel }))).toEqual(['console=tty1', 'console=ttyAMA0,115200'])
    const elsewhere = '/bcm2710-rpi-3-b/of/bcm2837-rpi-3-b.dtb'
    expect(consoles(plan({ inputs: { dtb: elsewhere } }))).toEqual(['console=tty1', 'console=ttyAMA0,115200'])
    expect(consoles(plan({ inputs: { board: 'virt' }, image: genericKernel }))).toEqual(['console=ttyAMA0,115200'])
  })
})

describe('what does not go together', () => {
  const elsewhere = {
    bootFiles: { names: ['kernel7.img', 'bcm2710-rpi-3-b.dtb'], overlays: [], kernelReleases: {} }
  }
  test.each<[string, Change, RegExp]>([
    [
      'an image without the kernel that the board boots',
      { inputs: { board: 'raspi3b' }, image: { architecture: 'armhf', ...elsewhere } },
      /^board `raspi3b` needs kernel8\.img, which the image does not have; boards that can: raspi2b, virt; or give `kernel`$/
    ],
    [
      'an image without a device tree of the board',
      { image: { bootFiles: { names: ['kernel8.img', 'bcm2711-rpi-4-b.dtb'], overlays: [], kernelReleases: {} } } },
      /^board `raspi3b` needs a device tree \(the image has none of bcm2710-rpi-3-b\.dtb, .*\); give `dtb`$/
    ],
    [
      'a board for another architecture',
      { inputs: { board: 'raspi2b' } },
      /^board `raspi2b` does not run this image's arm64 system; boards that can: raspi3b, raspi3ap, raspi4b, virt$/
    ]
  ])('%s', (_, change, message) => {
    expect(() => plan(change)).toThrow(BadInput)
    expect(() => plan(change)).toThrow(message)
  })

  test.each([
    ["Raspberry Pi's kernel", '6.6.31+rpt-rpi-v8', true],
    ['an older one of those', '5.10.103-v8+', true],
    ["Debian's", '6.1.0-28-arm64', false]
  ])('virt needs another kernel in place of %s', (_, release, wanted) => {
    const bootFiles = { ...genericKernel.bootFiles, kernelReleases: { 'kernel8.img': release } }
    const wants = (inputs: Partial<Inputs>): boolean => {
      const asked = { ...defaultInputs, ...inputs }
      const image = preparedImage({ bootFiles })
      return wantsGenericKernel(asked, image, boardFor(asked, image))
    }
    expect(wants({ board: 'virt' })).toBe(wanted)
    expect(wants({ board: 'virt', kernel: '/k' })).toBe(false)
    expect(wants({ board: 'raspi3b' })).toBe(false)
  })

  test("virt takes a generic kernel in place of Raspberry Pi's", () => {
    expect(plan({ inputs: { board: 'virt', kernel: '/k' } }).kernel).toBe('/k')
  })

  test('a kernel and a device tree from elsewhere make up for what the image lacks', () => {
    const machine = plan({
      inputs: { kernel: '/k', dtb: '/d' },
      image: { bootFiles: { names: [], overlays: [], kernelReleases: {} } }
    })
    expect(machine).toMatchObject({ kernel: '/k', dtb: 'board.dtb', initrd: undefined })
  })
})

describe('the plan in words', () => {
  test('tells what a run without inputs does', () => {
    expect(describePlan(defaultInputs)).toEqual([
      'image: mini-arm64 (built here from Debian packages)',
      "board: by the image's architecture",
      'provisioning: offline, on a copy',
      'workspace: /work/project (sync: both)',
      'script: none, boot only',
      'afterwards: switched off, changes dropped'
    ])
  })

  test('tells what was asked for', () => {
    const asked: Inputs = {
      ...defaultInputs,
      ...{
        image: { kind: 'url', url: 'https://example.org/pi.img' },
        board: 'raspi3b',
        provision: 'none',
        sync: 'none'
      },
      ...{ run: 'a\nb\n', saveImage: { path: '/out.img', format: 'raw' } }
    }
    expect(describePlan(asked)).toEqual([
      'image: https://example.org/pi.img',
      `board: ${boards.raspi3b.title}`,
      'provisioning: none (provision: none)',
      'workspace: not exchanged (sync: none)',
      'script: 2 line(s)',
      'afterwards: disk saved to /out.img'
    ])
    expect(describePlan({ ...defaultInputs, keepRunning: true })).toContain('afterwards: stays up for later steps')
  })

  test('never shows the values of the environment', () => {
    expect(describePlan({ ...defaultInputs, env: { TOKEN: 'hunter2' } }).join('\n')).not.toContain('hunter2')
  })
})
