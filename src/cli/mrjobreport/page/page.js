/**
 * The page in the browser. A task is an array (see page.ts); `at` names its places. The timeline has one lane per
 * server and zone, tasks that have no zone share the lane of their server. Drawing takes the tasks of a lane in the
 * order of their start and skips what falls on a pixel already drawn, so that 100,000 tasks cost as many comparisons
 * and a few thousand rectangles.
 */

(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const at = {
    taskId: 0,
    server: 1,
    zone: 2,
    phase: 3,
    outcome: 4,
    attempt: 5,
    dispatched: 6,
    accepted: 7,
    started: 8,
    done: 9,
    committed: 10,
    input: 11,
  };
  const outcomes = ['not done', 'ok', 'failed'];
  const { job, tasks, names, errors } = data;
  const byId = (id) => document.getElementById(id);
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className !== undefined) made.className = className;
    return made;
  };
  const endOfJob = job.timeDone === undefined ? lastTime() : Date.parse(job.timeDone) - Date.parse(job.timeCreated);
  const span = Math.max(1, endOfJob, lastTime());

  function lastTime() {
    let last = 1;
    for (const task of tasks) last = Math.max(last, task[at.committed], task[at.done], task[at.dispatched]);
    return last;
  }

  function duration(ms) {
    if (ms < 0) return '-';
    if (ms < 1000) return `${ms} ms`;
    if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
    const minutes = Math.floor(ms / 60_000);
    return minutes < 60
      ? `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`
      : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }
  /** From dispatch to start, or until now. */
  const waited = (task) => (task[at.started] >= 0 ? task[at.started] : span) - task[at.dispatched];
  const ran = (task) => (task[at.started] < 0 ? -1 : (task[at.done] >= 0 ? task[at.done] : span) - task[at.started]);

  // Head
  byId('title').textContent = job.name === '' ? `Job ${job.jobId}` : `${job.name}`;
  const failed = tasks.filter((task) => task[at.outcome] === 2).length;
  byId('summary').textContent = [
    job.jobId,
    job.login,
    job.timeCancelled === undefined ? job.state : `${job.state}, cancelled`,
    `created ${job.timeCreated}`,
    `took ${duration(endOfJob)}`,
    `${tasks.length} tasks`,
    `${failed} failed`,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');

  // Lanes
  const lanes = new Map();
  for (const task of tasks) {
    const key = `${task[at.server]} ${task[at.zone]}`;
    if (!lanes.has(key)) lanes.set(key, { server: task[at.server], zone: task[at.zone], tasks: [] });
    if (task[at.started] >= 0) lanes.get(key).tasks.push(task);
  }
  const rows = [...lanes.values()].filter((lane) => lane.tasks.length > 0);
  const nameOf = (index) => (index < 0 ? '-' : names[index]);
  rows.sort((a, b) => nameOf(a.server).localeCompare(nameOf(b.server)) || nameOf(a.zone).localeCompare(nameOf(b.zone)));
  for (const lane of rows) {
    lane.tasks.sort((a, b) => a[at.started] - b[at.started]);
    lane.longest = 0;
    for (const task of lane.tasks) lane.longest = Math.max(lane.longest, ran(task));
  }

  // Timeline
  const canvas = byId('timeline');
  const context = canvas.getContext('2d');
  const labelWidth = 190;
  const axisHeight = 24;
  const laneHeight = Math.max(6, Math.min(22, Math.floor(480 / Math.max(1, rows.length))));
  const height = axisHeight + laneHeight * Math.max(1, rows.length) + 4;
  canvas.style.height = `${height}px`;
  let view = { from: 0, to: span };
  let isWaiting = false;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let canvasWidth = canvas.clientWidth; // asking the browser for it once per task would cost more than drawing
  const plotWidth = () => Math.max(1, canvasWidth - labelWidth);
  const xOf = (ms) => labelWidth + ((ms - view.from) / (view.to - view.from)) * plotWidth();
  const msOf = (x) => view.from + ((x - labelWidth) / plotWidth()) * (view.to - view.from);

  /** Index of the first task that may still be seen: none before it runs long enough. */
  function firstVisible(lane) {
    const wanted = view.from - lane.longest;
    let low = 0;
    let high = lane.tasks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lane.tasks[middle][at.started] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function draw() {
    isWaiting = false;
    const ratio = window.devicePixelRatio || 1;
    canvasWidth = canvas.clientWidth;
    canvas.width = Math.round(canvasWidth * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvasWidth, height);
    context.font = '12px system-ui, sans-serif';
    context.textBaseline = 'middle';
    drawAxis();
    const fills = [color('--open'), color('--ok'), color('--fail')];
    for (const [index, lane] of rows.entries()) {
      const y = axisHeight + index * laneHeight;
      if (index % 2 === 1) {
        context.fillStyle = color('--band');
        context.fillRect(0, y, canvasWidth, laneHeight);
      }
      if (laneHeight >= 12 || index % Math.ceil(12 / laneHeight) === 0) {
        context.fillStyle = color('--dim');
        const label = lane.zone < 0 ? nameOf(lane.server) : `${nameOf(lane.server)}  ${nameOf(lane.zone).slice(0, 8)}`;
        context.fillText(label, 4, y + laneHeight / 2, labelWidth - 10);
      }
      drawLane(lane, y, fills);
    }
  }

  function drawAxis() {
    const length = view.to - view.from;
    const step = [1, 2, 5].flatMap((n) => Array.from({ length: 10 }, (_, power) => n * 10 ** power));
    const nice = step.sort((a, b) => a - b).find((ms) => length / ms <= plotWidth() / 90) ?? length;
    for (let ms = Math.ceil(view.from / nice) * nice; ms <= view.to; ms += nice) {
      const x = xOf(ms);
      context.fillStyle = color('--line');
      context.fillRect(x, axisHeight - 6, 1, height);
      context.fillStyle = color('--dim');
      context.fillText(duration(ms), x + 3, axisHeight / 2 - 2);
    }
  }

  function drawLane(lane, y, fills) {
    const drawn = [-1, -1, -1]; // right edge so far, by outcome: failures are seen however small
    const isThick = laneHeight >= 8;
    const top = y + (isThick ? 2 : 0);
    const thickness = laneHeight - (isThick ? 4 : 1);
    const scale = plotWidth() / (view.to - view.from);
    const origin = labelWidth - view.from * scale;
    for (let index = firstVisible(lane); index < lane.tasks.length; index++) {
      const task = lane.tasks[index];
      const started = task[at.started];
      if (started > view.to) break;
      const left = Math.max(labelWidth, origin + started * scale);
      const right = Math.min(canvasWidth, Math.max(origin + (started + ran(task)) * scale, left + 1));
      const outcome = task[at.outcome];
      if (right <= labelWidth || right <= drawn[outcome]) continue;
      context.fillStyle = fills[outcome];
      const gap = right - left > 3 ? 1 : 0;
      context.fillRect(left, top, Math.max(1, right - left - gap), thickness);
      drawn[outcome] = Math.max(drawn[outcome], Math.ceil(right));
    }
  }

  function redraw() {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(draw);
  }

  function show(from, to) {
    const length = Math.min(span, Math.max(1, to - from));
    const start = Math.max(0, Math.min(span - length, from));
    view = { from: start, to: start + length };
    byId('under').textContent = `${duration(Math.round(view.from))} to ${duration(Math.round(view.to))}`;
    redraw();
  }
  function zoom(factor, around) {
    show(around - (around - view.from) * factor, around + (view.to - around) * factor);
  }
  function move(part) {
    const step = (view.to - view.from) * part;
    show(view.from + step, view.to + step);
  }
  const middle = () => (view.from + view.to) / 2;
  const keys = {
    ArrowLeft: () => move(-0.15),
    ArrowRight: () => move(0.15),
    '+': () => zoom(0.6, middle()),
    '=': () => zoom(0.6, middle()),
    '-': () => zoom(1 / 0.6, middle()),
    0: () => show(0, span),
    Home: () => show(0, view.to - view.from),
    End: () => show(span - (view.to - view.from), span),
  };
  canvas.addEventListener('keydown', (event) => {
    const act = keys[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (document.activeElement !== canvas) return; // scrolling past does not zoom
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, msOf(event.offsetX));
    },
    { passive: false },
  );
  let grabbed = null;
  canvas.addEventListener('pointerdown', (event) => {
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    grabbed = { x: event.offsetX, view };
  });
  canvas.addEventListener('pointerup', () => {
    grabbed = null;
  });
  canvas.addEventListener('pointermove', (event) => {
    if (grabbed !== null) {
      const ms = ((grabbed.x - event.offsetX) / plotWidth()) * (grabbed.view.to - grabbed.view.from);
      show(grabbed.view.from + ms, grabbed.view.to + ms);
      return;
    }
    const task = taskAt(event.offsetX, event.offsetY);
    if (task !== undefined) byId('under').textContent = described(task);
  });
  function taskAt(x, y) {
    const lane = rows[Math.floor((y - axisHeight) / laneHeight)];
    if (lane === undefined || x < labelWidth) return undefined;
    const ms = msOf(x);
    const slack = (view.to - view.from) / plotWidth();
    for (let index = firstVisible(lane); index < lane.tasks.length; index++) {
      const task = lane.tasks[index];
      if (task[at.started] > ms + slack) return undefined;
      if (task[at.started] + ran(task) >= ms - slack) return task;
    }
    return undefined;
  }
  function described(task) {
    const what = task[at.input] === '' ? `reducer ${task[at.taskId]}` : task[at.input];
    return `${what}: phase ${task[at.phase]}, ${outcomes[task[at.outcome]]}, waited ${duration(waited(task))}, ran ${duration(ran(task))}, attempt ${task[at.attempt]}`;
  }
  for (const [text, name] of [
    ['ok', '--ok'],
    ['failed', '--fail'],
    ['not done', '--open'],
  ]) {
    const item = element('span', text, 'key');
    const mark = element('i', undefined, 'mark');
    mark.style.background = `var(${name})`;
    item.prepend(mark);
    byId('legend').append(item);
  }
  window.addEventListener('resize', redraw);
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  show(0, span);

  // Phases
  function tableOf(headers, lines) {
    const table = element('table');
    const head = element('tr');
    for (const [text, className] of headers) head.append(element('th', text, className));
    table.append(head, ...lines);
    return table;
  }
  const phaseRows = job.phases.map((phase, index) => {
    const mine = tasks.filter((task) => task[at.phase] === index);
    const started = mine.filter((task) => task[at.started] >= 0);
    const waiting = started.reduce((sum, task) => sum + waited(task), 0);
    const running = started.reduce((sum, task) => sum + ran(task), 0);
    const bar = element('div', undefined, 'bar');
    for (const [part, name] of [
      [waiting, '--wait'],
      [running, '--ok'],
    ]) {
      const piece = element('i');
      piece.style.cssText = `width:${(100 * part) / Math.max(1, waiting + running)}%;background:var(${name})`;
      bar.append(piece);
    }
    bar.title = `waiting ${duration(waiting)}, running ${duration(running)}`;
    const line = element('tr');
    const cell = element('td');
    cell.append(bar);
    const mean = (total) => duration(started.length === 0 ? -1 : Math.round(total / started.length));
    line.append(
      element('td', `${index} ${phase.type ?? 'map'}`),
      element('td', String(mine.length), 'number'),
      element('td', mean(waiting), 'number'),
      element('td', mean(running), 'number'),
      cell,
      element('td', phase.exec, 'message'),
    );
    return line;
  });
  byId('phases').append(
    tableOf(
      [
        ['phase'],
        ['tasks', 'number'],
        ['mean wait', 'number'],
        ['mean run', 'number'],
        ['waiting | running'],
        ['command'],
      ],
      phaseRows,
    ),
  );

  // Errors
  const errorRows = [
    ...errors.final.map((error) => ({ ...error, kind: 'final' })),
    ...errors.retried.map((error) => ({ ...error, kind: 'retried' })),
  ].sort((a, b) => b.count - a.count);
  if (errorRows.length === 0) byId('errors').append(element('p', 'None.'));
  else {
    const lines = errorRows.slice(0, 200).map(({ count, kind, code, message }) => {
      const line = element('tr');
      line.append(
        element('td', String(count), 'number'),
        element('td', kind),
        element('td', code),
        element('td', message, 'message'),
      );
      return line;
    });
    byId('errors').append(tableOf([['count', 'number'], ['kind'], ['code'], ['message']], lines));
  }

  // Tasks: only the rows in sight exist. Browsers limit the height of an element, so beyond it the rows are scaled.
  const rowHeight = 24;
  const heightLimit = 8_000_000;
  const box = byId('rows');
  const list = byId('list');
  box.tabIndex = 0; // so that it can be scrolled with the keyboard
  let chosen = [];
  function choose() {
    const text = byId('find').value;
    const shown = byId('show').value;
    const order = byId('order').value;
    chosen = tasks.filter((task) => {
      if (shown === 'failed' && task[at.outcome] !== 2) return false;
      if (shown === 'open' && task[at.outcome] !== 0) return false;
      return text === '' || task[at.input].includes(text) || task[at.taskId].startsWith(text);
    });
    const keyOf = { run: (task) => -ran(task), wait: (task) => -waited(task), start: (task) => task[at.started] }[
      order
    ];
    chosen.sort((a, b) => keyOf(a) - keyOf(b));
    byId('count').textContent = `${chosen.length} of ${tasks.length}`;
    list.style.height = `${Math.min(heightLimit, chosen.length * rowHeight)}px`;
    box.scrollTop = 0;
    fill();
  }
  function fill() {
    const visible = Math.ceil(box.clientHeight / rowHeight) + 1;
    const scrollable = Math.max(1, box.scrollHeight - box.clientHeight);
    const most = Math.max(0, chosen.length - visible + 1);
    const isScaled = chosen.length * rowHeight > heightLimit;
    const first = isScaled ? Math.round((box.scrollTop / scrollable) * most) : Math.floor(box.scrollTop / rowHeight);
    const top = isScaled ? box.scrollTop : first * rowHeight;
    const made = chosen.slice(first, first + visible).map((task, index) => {
      const row = element('li', undefined, 'row');
      row.style.top = `${top + index * rowHeight}px`;
      const className = ['open', '', 'fail'][task[at.outcome]];
      row.append(
        element('span', duration(waited(task))),
        element('span', duration(ran(task))),
        element('span', outcomes[task[at.outcome]], className),
        element('span', String(task[at.phase])),
        element('span', nameOf(task[at.server])),
        element('span', task[at.input] === '' ? task[at.taskId] : task[at.input]),
      );
      row.title = `${task[at.taskId]} ${described(task)}`;
      return row;
    });
    list.replaceChildren(...made);
  }
  box.addEventListener('scroll', fill, { passive: true });
  for (const id of ['order', 'show', 'find']) byId(id).addEventListener('input', choose);
  choose();
})();
