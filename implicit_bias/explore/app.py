"""The explorer's page: fields, sliders and their places; all numbers and pictures come from the other files."""

# ruff: noqa: D103

import marimo

app = marimo.App(width="full", app_title="Potential explorer", css_file="style.css")


@app.cell
def imports():
    import html

    import marimo as mo

    from implicit_bias.explore import Setting, compute, script
    from implicit_bias.explore.catalogue import CATALOGUE, DECAYS, SCALES, STEPS, usual_start
    from implicit_bias.explore.deriving import derived
    from implicit_bias.explore.picture import draw, draw_curves, draw_plane, png, svg
    from implicit_bias.explore.refused import RefusedError
    from implicit_bias.explore.typeset import remark, typeset

    return (
        CATALOGUE,
        DECAYS,
        RefusedError,
        SCALES,
        STEPS,
        Setting,
        compute,
        derived,
        draw,
        draw_curves,
        draw_plane,
        html,
        mo,
        png,
        remark,
        script,
        svg,
        typeset,
        usual_start,
    )


@app.cell
def atlas(CATALOGUE, mo):
    titles = {f"{entry.formula}   {entry.title}": entry for entry in CATALOGUE}
    choice = mo.ui.dropdown(titles, value=next(iter(titles)), label="From the atlas", full_width=True)
    return (choice,)


@app.cell
def fields(choice, mo):
    entry = choice.value
    formula = mo.ui.text(entry.formula, label="One weight $x = g(\\theta)$", full_width=True)
    regularizer = mo.ui.text(entry.regularizer, label="Regularizer $h(\\theta)$", placeholder="none", full_width=True)
    return entry, formula, regularizer


@app.cell
def deriving_alone(RefusedError, derived, formula):
    # Sliders belong to the formula: another regularizer leaves them where they are.
    try:
        alone = derived(formula.value, "")
    except RefusedError:
        alone = None
    return (alone,)


@app.cell
def deriving(RefusedError, derived, formula, mo, regularizer):
    derivation, refusal = None, None
    with mo.status.spinner("Deriving the potential …", remove_on_exit=True):
        try:
            derivation = derived(formula.value, regularizer.value)
        except RefusedError as _error:
            refusal = _error
    return derivation, refusal


@app.cell
def sliders(DECAYS, SCALES, STEPS, alone, entry, formula, mo, usual_start):
    is_from_atlas = formula.value == entry.formula
    names = list(alone.parameterization.params) if alone else []
    first = dict(entry.init) if is_from_atlas else (usual_start(alone) if alone else {})
    initial = mo.ui.array([
        mo.ui.slider(-3.0, 3.0, 0.05, value=first[name], show_value=True, full_width=True)
        for name in names for _ in range(2)
    ])  # fmt: skip
    scale = mo.ui.slider(
        steps=list(SCALES), value=entry.scale if is_from_atlas else 1.0, show_value=True, full_width=True
    )
    decay = mo.ui.slider(
        steps=list(DECAYS), value=entry.decay if is_from_atlas else 0.0, show_value=True, full_width=True
    )
    z1 = mo.ui.slider(-3.0, 3.0, 0.05, value=1.0, show_value=True, full_width=True)
    z2 = mo.ui.slider(-3.0, 3.0, 0.05, value=2.0, show_value=True, full_width=True)
    y = mo.ui.slider(-3.0, 3.0, 0.05, value=2.0, show_value=True, full_width=True)
    is_descending = mo.ui.switch(value=False)
    step = mo.ui.slider(steps=list(STEPS), value=0.05, show_value=True, full_width=True)
    return decay, initial, is_descending, names, scale, step, y, z1, z2


@app.cell
def formulas_typed(choice, formula, html, mo, refusal, regularizer):
    def said(field):
        """The message beside a field; it shows what the user typed escaped only."""
        is_meant = refusal is not None and refusal.field == field
        text = html.escape(str(refusal)) if is_meant else ""
        return f'<div class="refusal" role="alert" data-field="{field}">{text}</div>'

    mo.Html(
        f"""<div class="controls">
        <div class="title" role="heading" aria-level="1">Potential explorer</div>
        <div class="lead">Two weights, trained on one observation. Which solution does training prefer?</div>
        {choice}{formula}{said("formula")}{regularizer}{said("regularizer")}
        </div>"""
    )
    return


@app.cell
def controls(decay, derivation, initial, is_descending, mo, names, scale, step, y, z1, z2):
    def row(name, *elements):
        cells = "".join(f'<div class="cell">{element}</div>' for element in elements)
        return f'<div class="row row-{len(elements)}"><span class="name">{name}</span>{cells}</div>'

    def section(title, note=""):
        return f'<div class="section" role="heading" aria-level="2">{title} <small>{note}</small></div>'

    has_decay = derivation is not None and derivation.regularizer is not None
    mo.Html(
        f"""<div class="controls">
        {section("Initial values", "of x₁ and of x₂, times the scale")}
        {"".join(row(f"{name}<sub>0</sub>", initial[2 * k], initial[2 * k + 1]) for k, name in enumerate(names))}
        {row("scale", scale)}
        {section("Decay", "" if has_decay else "needs a regularizer")}
        {row("A = ∫α dt", decay) if has_decay else ""}
        {section("Observation", "z₁x₁ + z₂x₂ = y")}
        {row("z", z1, z2)}{row("y", y)}
        {section("Gradient descent", "of the same loss, in steps")}
        {row("show", is_descending)}{row("step η", step) if is_descending.value else ""}
        </div>"""
    )
    return (has_decay,)


@app.cell
def numbers(
    RefusedError,
    Setting,
    compute,
    decay,
    derivation,
    formula,
    has_decay,
    initial,
    is_descending,
    names,
    regularizer,
    scale,
    step,
    y,
    z1,
    z2,
):
    setting, scene, trouble = None, None, None
    if derivation is not None:
        setting = Setting(
            formula=formula.value.strip(),
            init={
                name: (scale.value * initial.value[2 * k], scale.value * initial.value[2 * k + 1])
                for k, name in enumerate(names)
            },
            regularizer=regularizer.value.strip() or None,
            decay=float(decay.value) if has_decay else 0.0,
            z=(z1.value, z2.value),
            y=y.value,
            step=float(step.value) if is_descending.value else None,
        )
        try:
            scene = compute(setting)
        except RefusedError as _error:
            trouble = str(_error)
    else:
        trouble = "There is no potential to draw: see the message beside the field."
    return scene, setting, trouble


@app.cell
def pictures(draw_curves, draw_plane, html, mo, scene, svg, trouble):
    if scene is None:
        _text = f'<p class="trouble" role="alert">{html.escape(trouble)}</p>'
    else:
        _landing = f"{scene.landing[0]:.6g} {scene.landing[1]:.6g}"
        _text = "".join(
            f'<div class="picture" data-landing="{_landing}">{svg(figure, transparent=True)}</div>'
            for figure in (draw_plane(scene), draw_curves(scene))
        )
    mo.Html(f'<div class="pictures">{_text}</div>')
    return


@app.cell
def formulas(derivation, html, mo, remark, scene, typeset):
    mo.stop(derivation is None)

    def line(name, text):
        mathematics = mo.md(f"$$\n{text}\n$$").text
        return f'<div class="formula"><span>{name}</span><div>{mathematics}</div></div>'

    _rows = "".join(line(*pair) for pair in typeset(derivation))
    if scene is None:
        _landed = ""
    elif scene.gap > 1e-4 * (1 + abs(scene.landing).max()):
        _landed = "Double precision does not follow the flow to its end here; the circle is where theory says it lands."
    else:
        _landed = (
            f"The flow ends at ({scene.path[-1][0]:.5g}, {scene.path[-1][1]:.5g}), within {scene.gap:.0e} of the point "
            "of the line where R is least."
        )
    _title = '<div class="section" role="heading" aria-level="2">Derived</div>'
    mo.Html(f'<div class="formulas">{_title}{_rows}<p>{html.escape(remark(derivation))}</p><p>{_landed}</p></div>')
    return


@app.cell
def export(draw, mo, png, scene, script, setting, svg):
    mo.stop(scene is None)
    _lines = script(setting)
    _downloads = [
        mo.download(lambda: svg(draw(scene)).encode(), "potential.svg", label="SVG"),
        mo.download(lambda: png(draw(scene)), "potential.png", label="PNG"),
        mo.download(_lines.encode(), "potential.py", label="Python"),
    ]
    _title = '<div class="section" role="heading" aria-level="2">Take it with you</div>'
    _code = mo.accordion({"The Python lines": mo.ui.code_editor(_lines, language="python", disabled=True)})
    mo.Html(f'<div class="export">{_title}{mo.hstack(_downloads, justify="start")}{_code}</div>')
    return


if __name__ == "__main__":
    app.run()
